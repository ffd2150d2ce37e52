// memcpy of more bytes than the block has.
//
// group: overflow in library functions
// expect: heap-overflow read * at * of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char target[64];
    char *block = new_block(20);
    size_t size = healthy ? 20 : 24;
    HIDE(size);
    memcpy(target, block, size); // BUG
    char *copied = target;
    HIDE(copied);
    free(block);
    return 0;
}
