// A handler of atexit reads a block that main freed.
//
// group: how the program goes on
// expect: use-after-free read 1 at start+3 of 20 in at_exit
#include "check.h"

static char *shared;

static void at_exit(void) {
    HIDE(shared);
    sink = shared[3]; // BUG
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    shared = new_block(20);
    kept = shared;
    atexit(at_exit);
    if (!healthy) free(shared);
    return 0;
}
