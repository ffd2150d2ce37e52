// Writes a freed block.
//
// group: use after free
// expect: use-after-free written 4 at start+8 of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(40);
    if (!healthy) free(numbers);
    HIDE(numbers);
    numbers[2] = 1; // BUG
    HIDE(numbers);
    if (healthy) free(numbers);
    return 0;
}
