// Reads 8 unaligned bytes of which the last lies past the end.
//
// group: overflow by type
// expect: heap-overflow read * at * of 20
#include "check.h"

static volatile int64_t wide;

struct __attribute__((packed)) unaligned {
    int64_t number;
};

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    const struct unaligned *at = (const struct unaligned *)(block + (healthy ? 12 : 13));
    HIDE(at);
    wide = at->number; // BUG
    free(block);
    return 0;
}
