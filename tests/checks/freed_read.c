// Reads a freed block.
//
// group: use after free
// expect: use-after-free read 4 at start+0 of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(40);
    if (!healthy) free(numbers);
    HIDE(numbers);
    sink = numbers[0]; // BUG
    if (healthy) free(numbers);
    return 0;
}
