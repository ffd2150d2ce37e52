// Writes a double of which half lies past the end of the block.
//
// group: overflow by type
// expect: heap-overflow written 8 at end-4 of 12
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(healthy ? 16 : 12);
    double *second = (double *)(block + 8);
    HIDE(second);
    *second = 1.5; // BUG
    HIDE(block);
    free(block);
    return 0;
}
