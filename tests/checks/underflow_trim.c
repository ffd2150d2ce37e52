// Looks for the last character of a text of spaces that is not a space.
//
// group: underflow
// expect: heap-underflow read 1 at start-1 of 8
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = new_block(8);
    memcpy(text, healthy ? "x      " : "       ", 8);
    volatile char *end = text + 6;
    int steps = 0;
    while (steps < 8 && *end == ' ') { // BUG
        end--;
        steps++;
    }
    free(text);
    return 0;
}
