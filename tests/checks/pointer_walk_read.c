// A pointer walks to a sentinel that is not there.
//
// group: overflow in loops and structures
// expect: heap-overflow read 1 at end+0 of 12
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = new_block(12);
    memset(text, 'x', 12);
    if (healthy) text[11] = '.';
    for (volatile char *at = text; at < text + 16 && *at != '.'; at++) { // BUG
        sink++;
    }
    free(text);
    return 0;
}
