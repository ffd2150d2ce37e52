// memory.copy from a freed block.
//
// group: bulk memory
// expect: use-after-free read 20 at start+0 of 20
// flags: -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char target[64];
    char *block = new_block(20);
    size_t size = 20;
    HIDE(size);
    if (!healthy) free(block);
    HIDE(block);
    __builtin_memcpy(target, block, size); // BUG
    char *copied = target;
    HIDE(copied);
    if (healthy) free(block);
    return 0;
}
