// A function that is called through a pointer reads before a block.
//
// group: how the program goes on
// expect: heap-underflow read 1 at start-1 of 20 in at
#include "check.h"

NOINLINE static int at(const char *block, int index) {
    return block[index]; // BUG
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    int (*function)(const char *, int) = at;
    HIDE(function);
    sink = function(block, healthy ? 0 : -1);
    free(block);
    return 0;
}
