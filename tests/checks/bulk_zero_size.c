// memory.copy of no bytes to the end is right, of one byte is not.
//
// group: bulk memory
// expect: heap-overflow written 1 at end+0 of 20
// flags: -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char source[4] = "abc";
    char *block = new_block(20);
    size_t size = healthy ? 0 : 1;
    HIDE(size);
    __builtin_memcpy(block + 20, source, size); // BUG
    HIDE(block);
    free(block);
    return 0;
}
