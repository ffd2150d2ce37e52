// Reads an int of which half lies before the block.
//
// group: underflow
// expect: heap-underflow read 4 at start-2 of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(32);
    int32_t *at = (int32_t *)(healthy ? block : block - 2);
    HIDE(at);
    sink = *at; // BUG
    free(block);
    return 0;
}
