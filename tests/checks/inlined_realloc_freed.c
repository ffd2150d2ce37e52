// Reads through the old pointer after realloc moved the block, where realloc has one caller.
//
// group: allocator functions inlined
// expect: use-after-free read 4 at start+0 of 16
// known: opt (`realloc` is in its caller, and the report says that accesses are not checked)
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *old = new_block(16);
    char *behind = new_block(16);
    int *numbers = old;
    HIDE(numbers);
    numbers = realloc(numbers, 4096);
    HIDE(numbers);
    sink = (healthy ? numbers : old)[0]; // BUG
    free(numbers);
    free(behind);
    return 0;
}
