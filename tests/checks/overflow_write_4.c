// Writes the byte that lies 4 bytes past the last one of a block.
//
// group: overflow by distance
// expect: heap-overflow written 1 at end+3 of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    size_t index = healthy ? 19 : 23;
    HIDE(index);
    block[index] = 'x'; // BUG
    HIDE(block);
    free(block);
    return 0;
}
