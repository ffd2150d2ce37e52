// Grows a list that has been freed already.
//
// linmem reports: 1 realloc of a freed block, the 40 bytes that new_list
// allocated and drop_list freed; no leaks, the grown list is freed.
#include <stdlib.h>
#include <string.h>

// Each function keeps a frame of its own in call stacks.
#define NOINLINE __attribute__((noinline))

NOINLINE static char *new_list(void) {
    return calloc(1, 40);
}

NOINLINE static void drop_list(char *list) {
    free(list);
}

NOINLINE static char *grow_list(char *list) {
    return realloc(list, 200);
}

int main(void) {
    char *volatile list = new_list();
    // With a block behind it the freed list is not merged into the unused end
    // of the heap, where wasi-libc's realloc would run out of memory's bounds.
    char *volatile neighbour = malloc(40);
    drop_list(list);
    list = grow_list(list);
    free(list);
    free(neighbour);
    return 0;
}
