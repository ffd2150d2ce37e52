// Reads past the end of a block, in a module without data segments.
//
// group: modules without data
// expect: heap-overflow read 4 at end+0 of 40
#define NO_DATA
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(40);
    int *at = healthy ? numbers : numbers + 10;
    HIDE(at);
    sink = *at; // BUG
    free(numbers);
    return 0;
}
