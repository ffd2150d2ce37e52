// Uses all that malloc_usable_size gives, and a byte more.
//
// group: overflow by kind of allocation
// expect: heap-overflow written 1 at end+0 of 20
// known: opt (`malloc_usable_size` is in its caller and says nothing of a redzone)
#include "check.h"

#include <malloc.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    size_t size = malloc_usable_size(block) + (healthy ? 0 : 1);
    HIDE(size);
    for (size_t i = 0; i < size; i++) {
        *(volatile char *)&block[i] = 'x'; // BUG
    }
    HIDE(block);
    free(block);
    return 0;
}
