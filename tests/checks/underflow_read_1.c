// Reads the 1 byte before a block.
//
// group: underflow
// expect: heap-underflow read 1 at start-1 of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(32);
    ptrdiff_t index = healthy ? 0 : -1;
    HIDE(index);
    char value = block[index]; // BUG
    sink = value;
    free(block);
    return 0;
}
