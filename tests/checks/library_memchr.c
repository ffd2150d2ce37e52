// memchr for what is not there, with a size that is larger than the block.
//
// group: overflow in library functions
// expect: heap-overflow read * at * of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *bytes = new_block(20);
    size_t size = healthy ? 20 : 26;
    HIDE(size);
    sink = memchr(bytes, 'y', size) != NULL; // BUG
    free(bytes);
    return 0;
}
