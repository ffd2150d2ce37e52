// memory.fill at NULL.
//
// group: bulk memory
// expect: null-access written 8 at 0x0
// flags: -mbulk-memory
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char local[8];
    char *target = healthy ? local : NULL;
    size_t size = 8;
    HIDE(target);
    HIDE(size);
    __builtin_memset(target, 0, size); // BUG
    HIDE(target);
    return 0;
}
