// Atomic load past the end.
//
// group: atomics
// expect: heap-overflow read 4 at end+0 of 16
// flags: -matomics -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *counters = new_block(healthy ? 20 : 16);
    sink = __atomic_load_n(&counters[4], __ATOMIC_SEQ_CST); // BUG
    free(counters);
    return 0;
}
