// A function of its own reads past the end.
//
// group: overflow in loops and structures
// expect: heap-overflow read 4 at end+0 of 16 in element
#include "check.h"

NOINLINE static int element(const int *numbers, int index) {
    return numbers[index]; // BUG
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(4 * sizeof(int));
    sink = element(numbers, healthy ? 3 : 4);
    free(numbers);
    return 0;
}
