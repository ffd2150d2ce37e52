// Atomic subtraction through NULL.
//
// group: atomics
// expect: null-access written 4 at 0x4
// flags: -matomics -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *counters = new_block(16);
    int *at = healthy ? counters : NULL;
    HIDE(at);
    sink = __atomic_fetch_sub(&at[1], 1, __ATOMIC_SEQ_CST); // BUG
    HIDE(counters);
    free(counters);
    return 0;
}
