// Reads a freed block of 20 MiB.
//
// group: use after free
// expect: use-after-free read 1 at start+12345 of 20971520
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = calloc(20, 1 << 20);
    HIDE(block);
    if (!healthy) free(block);
    HIDE(block);
    sink = block[12345]; // BUG
    if (healthy) free(block);
    return 0;
}
