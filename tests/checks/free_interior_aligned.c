// Frees a pointer 16 bytes into a block, where blocks may begin.
//
// group: double and invalid free
// expect: invalid-free
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(64);
    char *at = block + 16;
    HIDE(at);
    if (!healthy) free(at); // BUG
    free(block);
    return 0;
}
