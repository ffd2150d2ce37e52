// Writes past the end of a block that realloc made larger.
//
// group: overflow by kind of allocation
// expect: heap-overflow written 1 at end+0 of 100
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(40);
    block = realloc(block, healthy ? 101 : 100);
    HIDE(block);
    block[100] = 'x'; // BUG
    HIDE(block);
    free(block);
    return 0;
}
