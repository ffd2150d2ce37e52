// Writes the 4 bytes before a block.
//
// group: underflow
// expect: heap-underflow written 4 at start-4 of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int32_t *block = new_block(32);
    kept = block;
    ptrdiff_t index = healthy ? 0 : -1;
    HIDE(index);
    block[index] = 1; // BUG
    return 0;
}
