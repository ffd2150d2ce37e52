// Reads at a number that was taken for a pointer.
//
// group: unallocated
// expect: unallocated-access read 4 at 0x1f000
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *block = new_block(20);
    int *at = healthy ? block : (int *)0x1f000;
    HIDE(at);
    sink = *at; // BUG
    free(block);
    return 0;
}
