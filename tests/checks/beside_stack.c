// Copies a large local array from a block that is shorter.
//
// group: beside other memory
// expect: heap-overflow read 4 at end+0 of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int local[1000];
    int *numbers = new_block(10 * sizeof(int));
    int *at = local;
    for (int i = 0; i < 1000; i++) at[i] = i;
    HIDE(at);
    int count = healthy ? 10 : 11;
    HIDE(count);
    for (int i = 0; i < count; i++) {
        ((volatile int *)at)[i] = ((volatile int *)numbers)[i]; // BUG
    }
    free(numbers);
    return 0;
}
