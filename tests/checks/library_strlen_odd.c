// strlen of a text without a NUL that ends inside a word.
//
// group: overflow in library functions
// expect: heap-overflow read * at * of 21
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = new_block(21);
    memset(text, 'x', 21);
    if (healthy) text[20] = '\0';
    HIDE(text);
    sink = (int)strlen(text); // BUG
    free(text);
    return 0;
}
