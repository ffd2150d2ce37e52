// Reads a freed block through a second pointer into it.
//
// group: use after free
// expect: use-after-free read 1 at start+4 of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    char *alias = block + 4;
    HIDE(alias);
    if (!healthy) free(block);
    HIDE(alias);
    sink = *alias; // BUG
    if (healthy) free(block);
    return 0;
}
