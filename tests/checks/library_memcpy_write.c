// memcpy into a block that is too small.
//
// group: overflow in library functions
// expect: heap-overflow written * at * of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char source[64] = "text";
    char *block = new_block(20);
    size_t size = healthy ? 20 : 21;
    HIDE(size);
    memcpy(block, source, size); // BUG
    HIDE(block);
    free(block);
    return 0;
}
