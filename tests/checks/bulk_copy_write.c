// memory.copy into a block that is too small.
//
// group: bulk memory
// expect: heap-overflow written 24 at end-20 of 20
// flags: -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char source[64] = "text";
    char *block = new_block(20);
    size_t size = healthy ? 20 : 24;
    HIDE(size);
    __builtin_memcpy(block, source, size); // BUG
    HIDE(block);
    free(block);
    return 0;
}
