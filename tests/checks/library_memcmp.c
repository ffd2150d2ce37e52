// memcmp of more bytes than the block has.
//
// group: overflow in library functions
// expect: heap-overflow read 1 at end+0 of 5
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(5);
    memcpy(block, "hello", 5);
    size_t size = healthy ? 5 : 6;
    HIDE(size);
    sink = memcmp(block, "hello!", size); // BUG
    free(block);
    return 0;
}
