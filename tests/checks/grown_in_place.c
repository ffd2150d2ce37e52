// Reads through the old pointer after realloc, where the block could have grown in its place.
//
// group: use after free
// expect: use-after-free read 4 at start+4 of 16
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *old = new_block(16);
    int *numbers = old;
    HIDE(numbers);
    numbers = realloc(numbers, 4096);
    HIDE(numbers);
    sink = (healthy ? numbers : old)[1]; // BUG
    free(numbers);
    return 0;
}
