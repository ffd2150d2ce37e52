// Writes past the end of a block for which the memory grows.
//
// group: overflow by kind of allocation
// expect: heap-overflow written 1 at end+0 of 300000
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = malloc(healthy ? 300001 : 300000);
    HIDE(block);
    block[300000] = 'x'; // BUG
    HIDE(block);
    free(block);
    return 0;
}
