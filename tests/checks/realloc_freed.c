// Reallocates a freed block.
//
// group: double and invalid free
// expect: realloc-of-freed
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    if (!healthy) free(block);
    HIDE(block);
    kept = realloc(block, 40); // BUG
    return 0;
}
