// Writes past the end of a block that realloc made of NULL.
//
// group: overflow by kind of allocation
// expect: heap-overflow written 4 at end+0 of 24
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *block = NULL;
    HIDE(block);
    block = realloc(block, healthy ? 28 : 24);
    HIDE(block);
    block[6] = 1; // BUG
    HIDE(block);
    free(block);
    free(NULL);
    return 0;
}
