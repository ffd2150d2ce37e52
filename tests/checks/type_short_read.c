// Reads the sixth int16_t of five.
//
// group: overflow by type
// expect: heap-overflow read 2 at end+0 of 10
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int16_t *numbers = new_block(5 * sizeof(int16_t));
    size_t index = healthy ? 4 : 5;
    HIDE(index);
    int16_t number = numbers[index]; // BUG
    sink = number;
    free(numbers);
    return 0;
}
