// Exits in a function that is called after the bug.
//
// group: how the program goes on
// expect: use-after-free read 1 at start+3 of 20
#include "check.h"

NOINLINE static void leave(void) {
    exit(0);
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    if (!healthy) free(block);
    if (healthy) kept = block;
    HIDE(block);
    sink = block[3]; // BUG
    leave();
    return 0;
}
