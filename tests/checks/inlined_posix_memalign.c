// Reads past the end of a block of posix_memalign, which has one caller.
//
// group: allocator functions inlined
// expect: heap-overflow read 1 at end+2 of 100
// known: opt (`posix_memalign` is in its caller, and the report says that accesses are not checked)
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    void *aligned;
    if (posix_memalign(&aligned, 32, healthy ? 103 : 100) != 0) return 2;
    char *block = aligned;
    HIDE(block);
    sink = block[102]; // BUG
    free(block);
    return 0;
}
