// Writes far past the last block.
//
// group: unallocated
// expect: unallocated-access written 4 at *
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(20);
    int *at = healthy ? numbers : numbers + 10000;
    HIDE(at);
    *at = 1; // BUG
    HIDE(numbers);
    free(numbers);
    return 0;
}
