// Atomic store past the end.
//
// group: atomics
// expect: heap-overflow written 4 at end+0 of 16
// flags: -matomics -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *counters = new_block(healthy ? 20 : 16);
    __atomic_store_n(&counters[4], 1, __ATOMIC_SEQ_CST); // BUG
    HIDE(counters);
    free(counters);
    return 0;
}
