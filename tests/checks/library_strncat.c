// strncat writes its NUL behind the last of the bytes it may append.
//
// group: overflow in library functions
// expect: heap-overflow written 1 at end+0 of 8
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = new_block(8);
    memcpy(text, "abc", 4);
    size_t room = healthy ? 4 : 5;
    HIDE(room);
    strncat(text, "defghijk", room); // BUG
    HIDE(text);
    free(text);
    return 0;
}
