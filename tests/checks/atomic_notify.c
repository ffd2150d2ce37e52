// memory.atomic.notify past the end.
//
// group: atomics
// expect: heap-overflow read 4 at end+0 of 16
// flags: -matomics -mbulk-memory
// native: no
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *lock = new_block(healthy ? 20 : 16);
    sink = __builtin_wasm_memory_atomic_notify(&lock[4], 1); // BUG
    free(lock);
    return 0;
}
