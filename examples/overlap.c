// Brings a broken allocator of its own: it rounds sizes down where it should
// round them up, so that blocks overlap.
//
// linmem reports: 2 overlapping blocks. Of 4 blocks, of 24, 40, 32 and 16
// bytes, the second begins 8 bytes before the end of the first, and the third
// 8 bytes before the end of the second. No leaks: all 4 are freed.
#include <stddef.h>

// Weak, so that the compiler believes that they may be replaced: otherwise it
// inlines them, and drops the calls to a free that it sees do nothing.
#define ALLOCATOR __attribute__((weak))

static _Alignas(16) unsigned char heap[4096];
static size_t used;

ALLOCATOR void *malloc(size_t size) {
    if (used + size > sizeof heap) return NULL;
    void *block = heap + used;
    used += size & ~(size_t)15;  // should be (size + 15) & ~15
    return block;
}

ALLOCATOR void free(void *block) {
    (void)block;
}

int main(void) {
    char *volatile first = malloc(24);
    char *volatile second = malloc(40);
    char *volatile third = malloc(32);
    char *volatile fourth = malloc(16);
    free(fourth);
    free(third);
    free(second);
    free(first);
    return 0;
}
