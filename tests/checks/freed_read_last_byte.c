// Reads the last byte of a freed block.
//
// group: use after free
// expect: use-after-free read 1 at start+20 of 21
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(21);
    if (!healthy) free(block);
    HIDE(block);
    sink = block[20]; // BUG
    if (healthy) free(block);
    return 0;
}
