// strcat to a text that leaves no room.
//
// group: overflow in library functions
// expect: heap-overflow written * at * of 10
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    const char *tail = healthy ? "ld" : "ld, again";
    HIDE(tail);
    char *text = new_block(10);
    memcpy(text, "hi wor", 7);
    strcat(text, tail); // BUG
    HIDE(text);
    free(text);
    return 0;
}
