// Atomic compare and exchange in a freed block.
//
// group: atomics
// expect: use-after-free written 4 at start+4 of 16
// flags: -matomics -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *counters = new_block(16);
    if (!healthy) free(counters);
    HIDE(counters);
    int expected = 0;
    sink = __atomic_compare_exchange_n(&counters[1], &expected, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); // BUG
    if (healthy) free(counters);
    return 0;
}
