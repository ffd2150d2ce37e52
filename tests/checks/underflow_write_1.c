// Writes the 1 byte before a block.
//
// group: underflow
// expect: heap-underflow written 1 at start-1 of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(32);
    kept = block;
    ptrdiff_t index = healthy ? 0 : -1;
    HIDE(index);
    block[index] = 1; // BUG
    return 0;
}
