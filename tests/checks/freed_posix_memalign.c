// Reads a freed block of posix_memalign.
//
// group: use after free
// expect: use-after-free read 1 at start+0 of 100
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    void *aligned;
    if (posix_memalign(&aligned, 256, 100) != 0) return 2;
    char *block = aligned;
    block[0] = 1;
    HIDE(block);
    if (!healthy) free(block);
    HIDE(block);
    sink = block[0]; // BUG
    if (healthy) free(block);
    return 0;
}
