// Uses memory of its own from sbrk, and writes past the end of a block.
//
// group: beside other memory
// expect: heap-overflow written 1 at end+0 of 20
// known: O0, O2, stripped, opt (the program asks for pages itself, so not all blocks are known, and the report says that)
#include "check.h"

#include <unistd.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *own = sbrk(65536);
    HIDE(own);
    memset(own, 1, 65536);
    HIDE(own);
    char *block = new_block(20);
    size_t index = healthy ? 19 : 20;
    HIDE(index);
    block[index] = own[100]; // BUG
    HIDE(block);
    free(block);
    return 0;
}
