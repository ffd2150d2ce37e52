// Writes what a block had before realloc made it smaller.
//
// group: overflow by kind of allocation
// expect: heap-overflow written 4 at end+0 of 20
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *block = new_block(40);
    block = realloc(block, healthy ? 40 : 20);
    HIDE(block);
    block[5] = 1; // BUG
    HIDE(block);
    free(block);
    return 0;
}
