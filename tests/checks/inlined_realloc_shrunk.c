// Reads what a block had before realloc made it smaller, where realloc has one caller.
//
// group: allocator functions inlined
// expect: heap-overflow read 1 at end+4 of 20
// known: opt (`realloc` is in its caller, and the report says that accesses are not checked)
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(40);
    block = realloc(block, healthy ? 40 : 20);
    HIDE(block);
    sink = block[24]; // BUG
    free(block);
    return 0;
}
