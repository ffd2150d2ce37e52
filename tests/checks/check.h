// What the programs of this directory share: values that no optimiser sees through.
//
// Each program has one bug, on the line that ends in `// BUG`; with any argument it does the same
// right. README.md says what its first lines mean.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Keeps a frame of its own in call stacks.
#define NOINLINE __attribute__((noinline))

// The compiler no longer knows this variable, nor what is in memory.
#define HIDE(variable) __asm__ volatile("" : "+r"(variable) : : "memory")

// What is written here is used. It is data, which the module of a program of any size has.
#ifdef NO_DATA
static volatile int sink;
#else
__attribute__((used)) static volatile int sink = 1;
#endif

// A block that is never freed: its bug may have damaged the allocator.
static void *volatile kept;

// A block of zeros. A macro, so that the stack is that of malloc in the program itself.
#define new_block(size)                          \
    ({                                           \
        size_t new_size = (size);                \
        void *new_pointer = malloc(new_size);    \
        HIDE(new_pointer);                       \
        if (new_pointer == NULL) abort();        \
        memset(new_pointer, 0, new_size);        \
        HIDE(new_pointer);                       \
        new_pointer;                             \
    })

// A program of any size calls each allocator function from more than one place. Where one has a
// single caller, wasm-opt inlines it, and linmem cannot see its calls.
#ifdef MORE_CALLERS
static volatile int more_calls;

NOINLINE static void call_more(size_t size) {
    void *block = malloc(size);
    HIDE(block);
    block = realloc(block, 2 * size);
    HIDE(block);
    free(block);
    block = aligned_alloc(64, 64 * size);
    HIDE(block);
    free(block);
    if (posix_memalign(&block, 32, size) != 0) return;
    HIDE(block);
    free(block);
}

NOINLINE static void call_still_more(size_t size) {
    void *block = malloc(size);
    HIDE(block);
    block = realloc(block, 3 * size);
    HIDE(block);
    free(block);
    block = aligned_alloc(32, 32 * size);
    HIDE(block);
    free(block);
    if (posix_memalign(&block, 64, size) != 0) return;
    HIDE(block);
    free(block);
}

__attribute__((constructor)) static void before_main(void) {
    if (more_calls > 0) call_more(more_calls);
    if (more_calls > 1) call_still_more(more_calls);
}
#endif
