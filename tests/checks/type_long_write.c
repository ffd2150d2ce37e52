// Writes the sixth int64_t of five.
//
// group: overflow by type
// expect: heap-overflow written 8 at end+0 of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int64_t *numbers = new_block(5 * sizeof(int64_t));
    size_t index = healthy ? 4 : 5;
    HIDE(index);
    numbers[index] = 7; // BUG
    HIDE(numbers);
    free(numbers);
    return 0;
}
