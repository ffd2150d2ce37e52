// Reads the third double of NULL.
//
// group: NULL
// expect: null-access read 8 at 0x10
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    double local[3] = {1, 2, 3};
    double *numbers = healthy ? local : NULL;
    HIDE(numbers);
    double number = numbers[2]; // BUG
    sink = (int)number;
    return 0;
}
