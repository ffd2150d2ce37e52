// strcpy of a text that is too long.
//
// group: overflow in library functions
// expect: heap-overflow written * at * of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    const char *text = healthy ? "a short one" : "a text of thirty characters...";
    HIDE(text);
    char *copy = new_block(20);
    strcpy(copy, text); // BUG
    HIDE(copy);
    free(copy);
    return 0;
}
