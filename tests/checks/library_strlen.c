// strlen of a text without a NUL, in a block of whole words.
//
// group: overflow in library functions
// expect: heap-overflow read * at * of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = new_block(20);
    memset(text, 'x', 20);
    if (healthy) text[19] = '\0';
    HIDE(text);
    sink = (int)strlen(text); // BUG
    free(text);
    return 0;
}
