// memory.copy of more bytes than the block has.
//
// group: bulk memory
// expect: heap-overflow read 21 at end-20 of 20
// flags: -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char target[64];
    char *block = new_block(20);
    size_t size = healthy ? 20 : 21;
    HIDE(size);
    __builtin_memcpy(target, block, size); // BUG
    char *copied = target;
    HIDE(copied);
    free(block);
    return 0;
}
