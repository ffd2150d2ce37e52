// Atomic exclusive or in a freed block.
//
// group: atomics
// expect: use-after-free written 8 at start+8 of 16
// flags: -matomics -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int64_t *flags = new_block(16);
    if (!healthy) free(flags);
    HIDE(flags);
    sink = (int)__atomic_fetch_xor(&flags[1], 1, __ATOMIC_SEQ_CST); // BUG
    if (healthy) free(flags);
    return 0;
}
