// memcpy from a freed block.
//
// group: use after free
// expect: use-after-free read * at start+0 of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char target[64];
    char *block = new_block(40);
    size_t size = 40;
    HIDE(size);
    if (!healthy) free(block);
    HIDE(block);
    memcpy(target, block, size); // BUG
    char *copied = target;
    HIDE(copied);
    if (healthy) free(block);
    return 0;
}
