// memcpy from far past the last block.
//
// group: unallocated
// expect: unallocated-access read * at *
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char target[64];
    char *block = new_block(32);
    char *at = healthy ? block : block + 30000;
    size_t size = 32;
    HIDE(at);
    HIDE(size);
    memcpy(target, at, size); // BUG
    char *copied = target;
    HIDE(copied);
    free(block);
    return 0;
}
