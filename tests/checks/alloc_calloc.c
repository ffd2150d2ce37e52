// Reads past the end of a block of calloc.
//
// group: overflow by kind of allocation
// expect: heap-overflow read 4 at end+0 of 28
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *block = calloc(healthy ? 8 : 7, sizeof(int));
    HIDE(block);
    sink = block[7]; // BUG
    free(block);
    return 0;
}
