// Frees two pointers that malloc never returned.
//
// linmem reports: 2 invalid frees, of a pointer 16 bytes into the 64-byte
// block that read_line allocated, and of an address in static data; and, as
// it is never freed, that block as a definite leak. wasi-libc ignores both
// (by luck: it takes the bytes before each pointer for a block's size).
#include <stdlib.h>
#include <string.h>

// Each function keeps a frame of its own in call stacks.
#define NOINLINE __attribute__((noinline))

static char default_names[2][16] = {"nobody", "somebody"};

NOINLINE static char *read_line(void) {
    char *line = malloc(64);
    if (line == NULL) abort();
    return strcpy(line, "                name");
}

NOINLINE static void trim_and_free(char *line) {
    while (*line == ' ') line++;
    free(line);
}

NOINLINE static void free_name(char *name) {
    free(name);
}

int main(void) {
    trim_and_free(read_line());
    free_name(default_names[1]);
    return 0;
}
