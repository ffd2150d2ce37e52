// Reads the byte before a block that lies behind another one.
//
// group: underflow
// expect: heap-underflow read 1 at start-1 of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *before = new_block(32);
    char *block = new_block(32);
    ptrdiff_t index = healthy ? 0 : -1;
    HIDE(index);
    sink = block[index]; // BUG
    free(before);
    free(block);
    return 0;
}
