// Writes what malloc returned, which had no memory, and did not look.
//
// group: NULL
// expect: null-access written 4 at 0x8
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    size_t size = healthy ? 40 : (size_t)-1;
    HIDE(size);
    int *numbers = malloc(size);
    HIDE(numbers);
    numbers[2] = 1; // BUG
    HIDE(numbers);
    free(numbers);
    return 0;
}
