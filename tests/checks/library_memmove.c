// memmove shifts the elements of a full array.
//
// group: overflow in library functions
// expect: heap-overflow written * at * of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(8 * sizeof(int));
    size_t size = (healthy ? 7 : 8) * sizeof(int);
    HIDE(size);
    memmove(numbers + 1, numbers, size); // BUG
    HIDE(numbers);
    free(numbers);
    return 0;
}
