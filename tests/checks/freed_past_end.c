// Reads an int that begins in a freed block and ends past it.
//
// group: use after free
// expect: use-after-free read 4 at * of 6
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(healthy ? 8 : 6);
    int32_t *second = (int32_t *)(block + 4);
    if (!healthy) free(block);
    HIDE(second);
    sink = *second; // BUG
    if (healthy) free(block);
    return 0;
}
