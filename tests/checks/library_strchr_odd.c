// strchr in a text without a NUL that ends inside a word.
//
// group: overflow in library functions
// expect: heap-overflow read * at * of 17
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = new_block(17);
    memset(text, 'x', 17);
    if (healthy) text[16] = '\0';
    int letter = 'y';
    HIDE(letter);
    sink = strchr(text, letter) != NULL; // BUG
    free(text);
    return 0;
}
