// Atomic exchange of the byte before the start.
//
// group: atomics
// expect: heap-underflow written 1 at start-1 of 16
// flags: -matomics -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    unsigned char *flags = new_block(16);
    kept = flags;
    unsigned char *flag = healthy ? flags : flags - 1;
    HIDE(flag);
    sink = __atomic_exchange_n(flag, 1, __ATOMIC_SEQ_CST); // BUG
    return 0;
}
