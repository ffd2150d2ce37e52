// Frees the block at once, and allocates it again.
//
// group: how the program goes on
// expect: heap-overflow read 1 at end+0 of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    for (int i = 0; i < 3; i++) {
        char *block = new_block(20);
        size_t index = healthy || i < 2 ? 19 : 20;
        HIDE(index);
        sink = block[index]; // BUG
        free(block);
    }
    return 0;
}
