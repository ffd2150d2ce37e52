// Atomic or of 16 bits past the end.
//
// group: atomics
// expect: heap-overflow written 2 at end+0 of 6
// flags: -matomics -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    uint16_t *flags = new_block(healthy ? 8 : 6);
    sink = __atomic_fetch_or(&flags[3], 1, __ATOMIC_SEQ_CST); // BUG
    HIDE(flags);
    free(flags);
    return 0;
}
