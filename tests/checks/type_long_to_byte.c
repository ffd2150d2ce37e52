// Writes the sixth int8_t of five from 64 bits.
//
// group: overflow by type
// expect: heap-overflow written 1 at end+0 of 5
#include "check.h"

static volatile int64_t wide;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int8_t *numbers = new_block(5 * sizeof(int8_t));
    size_t index = healthy ? 4 : 5;
    HIDE(index);
    numbers[index] = (int8_t)(wide >> 3); // BUG
    HIDE(numbers);
    free(numbers);
    return 0;
}
