// Reads the sixth int32_t of five.
//
// group: overflow by type
// expect: heap-overflow read 4 at end+0 of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int32_t *numbers = new_block(5 * sizeof(int32_t));
    size_t index = healthy ? 4 : 5;
    HIDE(index);
    int32_t number = numbers[index]; // BUG
    sink = number;
    free(numbers);
    return 0;
}
