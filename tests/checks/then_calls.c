// Calls other functions, which allocate and free, between the bug and the return.
//
// group: how the program goes on
// expect: heap-overflow written 1 at end+2 of 20 in set
#include "check.h"

NOINLINE static void set(char *block, int index) {
    block[index] = 1; // BUG
    char *other = new_block(8);
    sink += other[0];
    free(other);
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    set(block, healthy ? 19 : 22);
    for (int i = 0; i < 10; i++) {
        char *other = new_block(20);
        set(other, 3);
        free(other);
    }
    free(block);
    return 0;
}
