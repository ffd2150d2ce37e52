// Frees a pointer 4 bytes into a block.
//
// group: double and invalid free
// expect: invalid-free
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    char *at = block + 4;
    HIDE(at);
    if (!healthy) free(at); // BUG
    free(block);
    return 0;
}
