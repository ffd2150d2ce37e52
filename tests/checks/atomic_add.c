// Atomic addition past the end.
//
// group: atomics
// expect: heap-overflow written 8 at end+0 of 16
// flags: -matomics -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int64_t *counters = new_block(healthy ? 24 : 16);
    sink = (int)__atomic_fetch_add(&counters[2], 1, __ATOMIC_SEQ_CST); // BUG
    HIDE(counters);
    free(counters);
    return 0;
}
