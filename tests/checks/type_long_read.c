// Reads the sixth int64_t of five.
//
// group: overflow by type
// expect: heap-overflow read 8 at end+0 of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int64_t *numbers = new_block(5 * sizeof(int64_t));
    size_t index = healthy ? 4 : 5;
    HIDE(index);
    int64_t number = numbers[index]; // BUG
    sink = number;
    free(numbers);
    return 0;
}
