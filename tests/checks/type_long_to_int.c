// Writes the sixth int32_t of five from 64 bits.
//
// group: overflow by type
// expect: heap-overflow written 4 at end+0 of 20
#include "check.h"

static volatile int64_t wide;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int32_t *numbers = new_block(5 * sizeof(int32_t));
    size_t index = healthy ? 4 : 5;
    HIDE(index);
    numbers[index] = (int32_t)(wide >> 3); // BUG
    HIDE(numbers);
    free(numbers);
    return 0;
}
