// A function that is always inlined writes past the end.
//
// group: overflow in loops and structures
// expect: heap-overflow written 4 at end+0 of 16 in set
#include "check.h"

__attribute__((always_inline)) static inline void set(int *numbers, int index) {
    numbers[index] = 1; // BUG
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(4 * sizeof(int));
    int index = healthy ? 3 : 4;
    HIDE(index);
    set(numbers, index);
    HIDE(numbers);
    free(numbers);
    return 0;
}
