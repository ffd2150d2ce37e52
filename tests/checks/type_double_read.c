// Reads the sixth double of five.
//
// group: overflow by type
// expect: heap-overflow read 8 at end+0 of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    double *numbers = new_block(5 * sizeof(double));
    size_t index = healthy ? 4 : 5;
    HIDE(index);
    double number = numbers[index]; // BUG
    sink = (int)number;
    free(numbers);
    return 0;
}
