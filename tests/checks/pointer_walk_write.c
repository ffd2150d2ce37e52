// A pointer walks past the end and writes.
//
// group: overflow in loops and structures
// expect: heap-overflow written 2 at end+0 of 12
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int16_t *numbers = new_block(6 * sizeof(int16_t));
    int16_t *end = numbers + (healthy ? 6 : 7);
    HIDE(end);
    for (volatile int16_t *at = numbers; at != end; at++) {
        *at = 1; // BUG
    }
    HIDE(numbers);
    free(numbers);
    return 0;
}
