// Reads the byte that lies 1 byte past the last one of a block.
//
// group: overflow by distance
// expect: heap-overflow read 1 at end+0 of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    size_t index = healthy ? 19 : 20;
    HIDE(index);
    sink = block[index]; // BUG
    free(block);
    return 0;
}
