// Reads the 4 bytes before a block.
//
// group: underflow
// expect: heap-underflow read 4 at start-4 of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int32_t *block = new_block(32);
    ptrdiff_t index = healthy ? 0 : -1;
    HIDE(index);
    int32_t value = block[index]; // BUG
    sink = value;
    free(block);
    return 0;
}
