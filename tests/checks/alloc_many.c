// Reads past the end of one of many blocks of all sizes.
//
// group: overflow by kind of allocation
// expect: heap-overflow read 1 at end+0 of 48
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *blocks[200];
    for (int i = 0; i < 200; i++) blocks[i] = new_block(i);
    for (int i = 0; i < 200; i += 2) {
        blocks[i] = realloc(blocks[i], i + 100);
        HIDE(blocks[i]);
    }
    for (int i = 0; i < 200; i++) {
        if (i % 3 != 0) continue;
        free(blocks[i]);
        blocks[i] = new_block(healthy ? 50 : 48);
    }
    sink = *(volatile char *)&blocks[99][48]; // BUG
    for (int i = 0; i < 200; i++) free(blocks[i]);
    return 0;
}
