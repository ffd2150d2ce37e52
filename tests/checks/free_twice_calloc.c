// Frees a block of calloc twice.
//
// group: double and invalid free
// expect: double-free
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = calloc(5, 4);
    HIDE(block);
    free(block);
    HIDE(block);
    if (!healthy) free(block); // BUG
    return 0;
}
