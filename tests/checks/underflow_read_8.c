// Reads the 8 bytes before a block.
//
// group: underflow
// expect: heap-underflow read 8 at start-8 of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int64_t *block = new_block(32);
    ptrdiff_t index = healthy ? 0 : -1;
    HIDE(index);
    int64_t value = block[index]; // BUG
    sink = (int)value;
    free(block);
    return 0;
}
