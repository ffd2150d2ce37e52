// memset of one byte too many.
//
// group: overflow in library functions
// expect: heap-overflow written * at * of 23
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(23);
    size_t size = healthy ? 23 : 24;
    HIDE(size);
    memset(block, 1, size); // BUG
    HIDE(block);
    free(block);
    return 0;
}
