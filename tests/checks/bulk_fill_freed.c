// memory.fill of a freed block.
//
// group: bulk memory
// expect: use-after-free written 12 at start+4 of 20
// flags: -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    size_t size = 12;
    HIDE(size);
    if (!healthy) free(block);
    HIDE(block);
    __builtin_memset(block + 4, 1, size); // BUG
    HIDE(block);
    if (healthy) free(block);
    return 0;
}
