// Writes far past the last block after the memory grew.
//
// group: unallocated
// expect: unallocated-access written 1 at *
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = malloc(200000);
    HIDE(block);
    char *at = healthy ? block : block + 200000 + 20000;
    HIDE(at);
    *at = 1; // BUG
    HIDE(block);
    free(block);
    return 0;
}
