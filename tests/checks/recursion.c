// A recursive sum goes one level too deep.
//
// group: overflow in loops and structures
// expect: heap-overflow read 4 at end+0 of 24 in sum
#include "check.h"

NOINLINE static int sum(const volatile int *numbers, int count) {
    if (count == 0) return 0;
    int rest = sum(numbers, count - 1);
    return rest + numbers[count - 1]; // BUG
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(6 * sizeof(int));
    sink = sum(numbers, healthy ? 6 : 7);
    free(numbers);
    return 0;
}
