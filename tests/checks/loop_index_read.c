// A loop with <= reads one element too many.
//
// group: overflow in loops and structures
// expect: heap-overflow read 4 at end+0 of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(10 * sizeof(int));
    int last = healthy ? 9 : 10;
    HIDE(last);
    for (int i = 0; i <= last; i++) {
        sink += numbers[i]; // BUG
    }
    free(numbers);
    return 0;
}
