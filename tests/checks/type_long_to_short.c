// Writes the sixth uint16_t of five from 64 bits.
//
// group: overflow by type
// expect: heap-overflow written 2 at end+0 of 10
#include "check.h"

static volatile int64_t wide;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    uint16_t *numbers = new_block(5 * sizeof(uint16_t));
    size_t index = healthy ? 4 : 5;
    HIDE(index);
    numbers[index] = (uint16_t)(wide >> 3); // BUG
    HIDE(numbers);
    free(numbers);
    return 0;
}
