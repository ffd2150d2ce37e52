// Writes past the end of a block that lies between two others.
//
// group: overflow by kind of allocation
// expect: heap-overflow written 1 at end+0 of 24
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *before = new_block(24);
    char *block = new_block(24);
    char *after = new_block(24);
    size_t index = healthy ? 23 : 24;
    HIDE(index);
    block[index] = 'x'; // BUG
    HIDE(before);
    free(before);
    free(block);
    free(after);
    return 0;
}
