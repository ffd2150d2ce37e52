// Atomic load of a byte past the end.
//
// group: atomics
// expect: heap-overflow read 1 at end+1 of 5
// flags: -matomics -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *flags = new_block(healthy ? 7 : 5);
    sink = __atomic_load_n(&flags[6], __ATOMIC_SEQ_CST); // BUG
    free(flags);
    return 0;
}
