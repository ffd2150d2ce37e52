// Reads an int of which half lies past the end of the block.
//
// group: overflow by type
// expect: heap-overflow read 4 at end-2 of 6
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(healthy ? 8 : 6);
    int32_t *second = (int32_t *)(block + 4);
    HIDE(second);
    sink = *second; // BUG
    free(block);
    return 0;
}
