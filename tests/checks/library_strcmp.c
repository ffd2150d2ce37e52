// strcmp of a text without a NUL.
//
// group: overflow in library functions
// expect: heap-overflow read 1 at end+0 of 4
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = new_block(4);
    memcpy(text, healthy ? "abc" : "abcd", 4);
    const char *other = "abcde";
    HIDE(other);
    HIDE(text);
    sink = strcmp(text, other); // BUG
    free(text);
    return 0;
}
