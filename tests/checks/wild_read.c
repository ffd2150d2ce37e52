// Reads far past the last block.
//
// group: unallocated
// expect: unallocated-access read 1 at *
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    char *at = healthy ? block : block + 40000;
    HIDE(at);
    sink = *at; // BUG
    free(block);
    return 0;
}
