// Frees the old pointer after realloc moved the block, where realloc has one caller.
//
// group: allocator functions inlined
// expect: double-free
// known: opt (`realloc` is in its caller, and the report says that accesses are not checked)
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *old = new_block(16);
    char *behind = new_block(16);
    char *block = old;
    HIDE(block);
    block = realloc(block, 4096);
    HIDE(block);
    if (!healthy) free(old); // BUG
    free(block);
    free(behind);
    return 0;
}
