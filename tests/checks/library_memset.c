// memset of more bytes than the block has.
//
// group: overflow in library functions
// expect: heap-overflow written * at * of 24
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(24);
    size_t size = healthy ? 24 : 30;
    HIDE(size);
    memset(block, 1, size); // BUG
    HIDE(block);
    free(block);
    return 0;
}
