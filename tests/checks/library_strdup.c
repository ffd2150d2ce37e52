// strdup of a text without a NUL.
//
// group: overflow in library functions
// expect: heap-overflow read * at * of 7
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = new_block(7);
    memset(text, 'x', 7);
    if (healthy) text[6] = '\0';
    char *copy = strdup(text); // BUG
    HIDE(copy);
    free(copy);
    free(text);
    return 0;
}
