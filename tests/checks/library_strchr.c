// strchr in a text without a NUL.
//
// group: overflow in library functions
// expect: heap-overflow read * at * of 16
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = new_block(16);
    memset(text, 'x', 16);
    if (healthy) text[15] = '\0';
    int letter = 'y';
    HIDE(letter);
    sink = strchr(text, letter) != NULL; // BUG
    free(text);
    return 0;
}
