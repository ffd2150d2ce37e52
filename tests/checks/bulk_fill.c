// memory.fill of more bytes than the block has.
//
// group: bulk memory
// expect: heap-overflow written 30 at end-24 of 24
// flags: -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(24);
    size_t size = healthy ? 24 : 30;
    HIDE(size);
    __builtin_memset(block, 1, size); // BUG
    HIDE(block);
    free(block);
    return 0;
}
