// Writes past the end of a block of aligned_alloc, which has one caller.
//
// group: allocator functions inlined
// expect: heap-overflow written 1 at end+0 of 192
// known: opt (`aligned_alloc` is in its caller, unseen)
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = aligned_alloc(64, healthy ? 256 : 192);
    HIDE(block);
    block[192] = 'x'; // BUG
    HIDE(block);
    free(block);
    return 0;
}
