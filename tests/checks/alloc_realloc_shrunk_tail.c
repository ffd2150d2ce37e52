// Writes what realloc cut off from a block that stays where it is.
//
// group: overflow by kind of allocation
// expect: heap-overflow written 1 at end+3 of 32
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(64);
    char *smaller = realloc(block, healthy ? 64 : 32);
    HIDE(smaller);
    smaller[35] = 1; // BUG
    HIDE(smaller);
    free(smaller);
    return 0;
}
