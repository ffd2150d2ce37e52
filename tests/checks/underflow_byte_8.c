// Reads a byte 8 bytes before a block.
//
// group: underflow
// expect: heap-underflow read 1 at start-8 of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(32);
    ptrdiff_t index = healthy ? 0 : -8;
    HIDE(index);
    sink = block[index]; // BUG
    free(block);
    return 0;
}
