// Writes the hundredth element of NULL.
//
// group: NULL
// expect: null-access written 2 at 0xc8
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int16_t local[101];
    int16_t *numbers = healthy ? local : NULL;
    HIDE(numbers);
    numbers[100] = 1; // BUG
    return 0;
}
