// A loop with <= writes one element too many.
//
// group: overflow in loops and structures
// expect: heap-overflow written 4 at end+0 of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(10 * sizeof(int));
    int last = healthy ? 9 : 10;
    HIDE(last);
    for (int i = 0; i <= last; i++) {
        *(volatile int *)&numbers[i] = i; // BUG
    }
    HIDE(numbers);
    free(numbers);
    return 0;
}
