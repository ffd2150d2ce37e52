// Brings an allocator of its own, which only ever moves on: free does
// nothing, and the memory that it asks for is never used again.
//
// linmem reports: 1,000 allocations and 1,000 frees of 1,000 bytes, no leaks,
// at most 1,000 live bytes; and yet memory grows by a page about every 65
// allocations, because no freed block is ever reused.
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 65536

// Weak, so that the compiler believes that they may be replaced: otherwise it
// inlines them, and drops the calls to a free that it sees do nothing.
#define ALLOCATOR __attribute__((weak))

extern unsigned char __heap_base;  // set by the linker

static uintptr_t next_free = (uintptr_t)&__heap_base;

ALLOCATOR void *malloc(size_t size) {
    uintptr_t block = (next_free + 15) & ~(uintptr_t)15;
    size_t pages = __builtin_wasm_memory_size(0);
    size_t needed = (block + size + PAGE_SIZE - 1) / PAGE_SIZE;
    if (needed > pages && __builtin_wasm_memory_grow(0, needed - pages) == SIZE_MAX) return NULL;
    next_free = block + size;
    return (void *)block;
}

ALLOCATOR void free(void *block) {
    (void)block;
}

int main(void) {
    for (int i = 0; i < 1000; i++) {
        char *volatile block = malloc(1000);
        if (block == NULL) return 1;
        block[0] = 'x';
        free(block);
    }
    return 0;
}
