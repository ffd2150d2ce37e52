// Reads what malloc returned, which had no memory, and did not look.
//
// group: NULL
// expect: null-access read 4 at 0x4
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    size_t size = healthy ? 40 : (size_t)-1;
    HIDE(size);
    int *numbers = malloc(size);
    HIDE(numbers);
    sink = numbers[1]; // BUG
    free(numbers);
    return 0;
}
