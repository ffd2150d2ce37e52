// Frees a block through two pointers to it.
//
// group: double and invalid free
// expect: double-free
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    char *alias = block;
    HIDE(alias);
    free(block);
    char *other = new_block(20);
    free(other);
    if (!healthy) free(alias); // BUG
    return 0;
}
