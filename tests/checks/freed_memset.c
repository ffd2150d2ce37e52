// memset of a freed block.
//
// group: use after free
// expect: use-after-free written * at * of 40
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(40);
    size_t size = 40;
    HIDE(size);
    if (!healthy) free(block);
    HIDE(block);
    memset(block, 1, size); // BUG
    HIDE(block);
    if (healthy) free(block);
    return 0;
}
