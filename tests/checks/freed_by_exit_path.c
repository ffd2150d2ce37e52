// An error path frees what the caller still uses.
//
// group: use after free
// expect: use-after-free read 4 at start+0 of 16
#include "check.h"

NOINLINE static int parse(int *numbers, bool healthy) {
    if (healthy) return 0;
    free(numbers);
    return -1;
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(16);
    sink = parse(numbers, healthy);
    HIDE(numbers);
    sink = numbers[0]; // BUG
    if (healthy) free(numbers);
    return 0;
}
