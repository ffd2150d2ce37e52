// Reallocates a pointer 4 bytes into a block.
//
// group: double and invalid free
// expect: invalid-realloc
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    char *at = block + 4;
    HIDE(at);
    if (!healthy) at = realloc(at, 40); // BUG
    kept = at;
    free(block);
    return 0;
}
