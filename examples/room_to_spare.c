// All that this program allocates fits into the room that the two initial
// pages leave above the heap's base: memory does not grow at all.
//
// linmem reports: 40 allocations of 1,000 bytes, 40 frees, no growth; 40,000
// live bytes at the peak, in 131,072 bytes of memory.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 40
#define BLOCK_SIZE 1000

int main(void) {
    static char *blocks[BLOCKS];
    size_t pages_before = __builtin_wasm_memory_size(0);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK_SIZE);
        if (blocks[i] == NULL) abort();
        memset(blocks[i], i, BLOCK_SIZE);
    }
    puts(pages_before == __builtin_wasm_memory_size(0) ? "memory did not grow" : "memory grew");
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    return 0;
}
