// Reads what a block had before realloc made it smaller.
//
// group: overflow by kind of allocation
// expect: heap-overflow read 1 at end+4 of 20
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(40);
    block = realloc(block, healthy ? 40 : 20);
    HIDE(block);
    sink = block[24]; // BUG
    free(block);
    return 0;
}
