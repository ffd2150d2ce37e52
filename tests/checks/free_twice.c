// Frees a block twice.
//
// group: double and invalid free
// expect: double-free
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    free(block);
    HIDE(block);
    if (!healthy) free(block); // BUG
    return 0;
}
