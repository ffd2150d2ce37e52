// memory.fill that begins before the start.
//
// group: bulk memory
// expect: heap-underflow written 12 at start-4 of 20
// flags: -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    kept = block;
    size_t size = 12;
    HIDE(size);
    __builtin_memset(healthy ? block : block - 4, 1, size); // BUG
    HIDE(block);
    return 0;
}
