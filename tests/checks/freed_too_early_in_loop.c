// A loop frees its buffer in the first round and reads it in the next.
//
// group: use after free
// expect: use-after-free read 1 at start+0 of 24
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *buffer = new_block(24);
    for (int round = 0; round < 3; round++) {
        sink = *(volatile char *)buffer; // BUG
        if (round == 0 && !healthy) free(buffer);
        HIDE(buffer);
    }
    if (healthy) free(buffer);
    return 0;
}
