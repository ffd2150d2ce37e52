// Writes through an old pointer after another block of the same size was allocated.
//
// group: use after free
// expect: use-after-free written 4 at start+0 of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *old = new_block(32);
    if (!healthy) free(old);
    HIDE(old);
    int *new = new_block(32);
    old[0] = 1; // BUG
    HIDE(old);
    if (healthy) free(old);
    free(new);
    return 0;
}
