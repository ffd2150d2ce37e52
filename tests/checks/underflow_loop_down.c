// A loop that counts down goes on to -1.
//
// group: underflow
// expect: heap-underflow read 4 at start-4 of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(10 * sizeof(int));
    int first = healthy ? 0 : -1;
    HIDE(first);
    for (int i = 9; i >= first; i--) {
        sink += numbers[i]; // BUG
    }
    free(numbers);
    return 0;
}
