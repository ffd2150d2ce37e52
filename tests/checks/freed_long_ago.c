// Reads a freed block after a thousand others were allocated and freed.
//
// group: use after free
// expect: use-after-free read 4 at start+4 of 32
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *old = new_block(32);
    if (!healthy) free(old);
    for (int i = 0; i < 1000; i++) {
        char *other = new_block(32);
        free(other);
    }
    HIDE(old);
    sink = old[1]; // BUG
    if (healthy) free(old);
    return 0;
}
