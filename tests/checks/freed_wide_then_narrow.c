// Reads 16 bits of a freed block of doubles.
//
// group: use after free
// expect: use-after-free read 2 at start+6 of 16
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    double *numbers = new_block(16);
    numbers[0] = 1.5;
    int16_t *halves = (int16_t *)numbers;
    HIDE(halves);
    if (!healthy) free(numbers);
    HIDE(halves);
    sink = halves[3]; // BUG
    if (healthy) free(numbers);
    return 0;
}
