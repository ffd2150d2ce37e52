// Writes a double in a freed block.
//
// group: use after free
// expect: use-after-free written 8 at start+8 of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    double *numbers = new_block(32);
    if (!healthy) free(numbers);
    HIDE(numbers);
    numbers[1] = 2.5; // BUG
    HIDE(numbers);
    if (healthy) free(numbers);
    return 0;
}
