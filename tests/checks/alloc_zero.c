// Writes into a block of no bytes.
//
// group: overflow by kind of allocation
// expect: heap-overflow written 1 at end+0 of 0
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(healthy ? 1 : 0);
    *block = 'x'; // BUG
    HIDE(block);
    free(block);
    return 0;
}
