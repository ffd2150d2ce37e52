// Passes a freed block to a function.
//
// group: use after free
// expect: use-after-free read 4 at start+0 of 40 in first
#include "check.h"

NOINLINE static int first(const int *numbers) {
    return numbers[0]; // BUG
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(40);
    if (!healthy) free(numbers);
    HIDE(numbers);
    sink = first(numbers);
    if (healthy) free(numbers);
    return 0;
}
