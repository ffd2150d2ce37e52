// memory.copy that shifts the elements of a full array.
//
// group: bulk memory
// expect: heap-overflow written 32 at end-28 of 32
// flags: -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(8 * sizeof(int));
    size_t size = (healthy ? 7 : 8) * sizeof(int);
    HIDE(size);
    __builtin_memmove(numbers + 1, numbers, size); // BUG
    HIDE(numbers);
    free(numbers);
    return 0;
}
