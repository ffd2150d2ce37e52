// Reads with an index that was never checked.
//
// group: unallocated
// expect: unallocated-access read 8 at *
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    double *numbers = new_block(10 * sizeof(double));
    size_t index = healthy ? 9 : 5000;
    HIDE(index);
    double number = numbers[index]; // BUG
    sink = (int)number;
    free(numbers);
    return 0;
}
