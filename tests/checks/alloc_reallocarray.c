// Reads past the end of a block that grew by reallocarray.
//
// group: overflow by kind of allocation
// expect: heap-overflow read 8 at end+0 of 40
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int64_t *numbers = new_block(2 * sizeof(int64_t));
    numbers = reallocarray(numbers, healthy ? 6 : 5, sizeof(int64_t));
    HIDE(numbers);
    int64_t number = numbers[5]; // BUG
    sink = (int)number;
    free(numbers);
    return 0;
}
