// Reads far past the last block, in a module without data segments.
//
// group: modules without data
// expect: unallocated-access read 4 at *
#define NO_DATA
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(40);
    int *at = healthy ? numbers : numbers + 10000;
    HIDE(at);
    sink = *at; // BUG
    free(numbers);
    return 0;
}
