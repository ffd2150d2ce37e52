// A known pattern of malloc, calloc, realloc and free, whose sizes do not
// depend on the target, so that Valgrind's count of a native build can be
// compared with linmem's. No output: C libraries allocate for stdio.
//
//   gcc -O2 examples/valgrind_pattern.c && valgrind ./a.out
//     in use at exit: 5,030 bytes in 10 blocks
//     total heap usage: 183 allocs, 173 frees, 69,588 bytes allocated
//
// To Valgrind a realloc of a block is both an alloc (of all of the new size)
// and a free. linmem reports: 126 allocations, 57 reallocs, 116 frees; 126 + 57
// is Valgrind's 183, and 116 + 57 its 173. The 10 blocks are reachable.
#include <stdlib.h>
#include <string.h>

#define ROWS 100

// Volatile, so that the compiler cannot see that no code reads them.
static char *volatile rows[ROWS];

static void fill(char *block, size_t size) {
    if (block == NULL) abort();
    memset(block, 'x', size);
}

int main(void) {
    // 100 blocks of 1, 2, ... 100 bytes: 5,050 bytes.
    for (int i = 0; i < ROWS; i++) fill(rows[i] = malloc(i + 1), i + 1);

    // Every second of them grows to 1,000 bytes: 50 reallocs, 50,000 bytes.
    for (int i = 0; i < ROWS; i += 2) fill(rows[i] = realloc(rows[i], 1000), 1000);

    // 25 tables of 8 rows of 32 bytes: 6,400 bytes, each freed at once.
    for (int i = 0; i < 25; i++) {
        char *volatile table = calloc(8, 32);
        fill(table, 8 * 32);
        free(table);
    }

    // A buffer that starts as realloc(NULL, 64), which is an allocation,
    // doubles 6 times up to 4,096 and shrinks to 10: 8,138 bytes.
    char *volatile buffer = NULL;
    for (size_t size = 64; size <= 4096; size *= 2) fill(buffer = realloc(buffer, size), size);
    fill(buffer = realloc(buffer, 10), 10);
    free(buffer);

    free(NULL);  // counts nowhere

    // 10 rows are kept: 5 of 1,000 bytes, and those of 2, 4, 6, 8 and 10.
    for (int i = 10; i < ROWS; i++) free(rows[i]);
    return 0;
}
