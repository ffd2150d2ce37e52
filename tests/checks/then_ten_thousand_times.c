// Has its bug ten thousand times in one loop.
//
// group: how the program goes on
// expect: heap-overflow read 1 at end+0 of 20 times 10000
// known: O0, O2, stripped, opt (4,096 times are counted for each call of a function)
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    int index = healthy ? 19 : 20;
    HIDE(index);
    #pragma clang loop unroll(disable)
    for (int i = 0; i < 10000; i++) {
        sink = ((volatile char *)block)[index]; // BUG
    }
    free(block);
    return 0;
}
