// Writes a freed block of aligned_alloc.
//
// group: use after free
// expect: use-after-free written 1 at start+64 of 128
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = aligned_alloc(64, 128);
    HIDE(block);
    if (!healthy) free(block);
    HIDE(block);
    block[64] = 'x'; // BUG
    HIDE(block);
    if (healthy) free(block);
    return 0;
}
