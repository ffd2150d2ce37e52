// Reads a freed block of calloc.
//
// group: use after free
// expect: use-after-free read 4 at start+8 of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = calloc(10, sizeof(int));
    HIDE(numbers);
    if (!healthy) free(numbers);
    HIDE(numbers);
    sink = numbers[2]; // BUG
    if (healthy) free(numbers);
    return 0;
}
