// Grows a message through a pointer that has moved on from its start.
//
// linmem reports: 1 realloc of an invalid pointer, 8 bytes into the 40-byte
// block that main allocated; and that block as a definite leak, since nothing
// frees it. wasi-libc's realloc does not notice: it answers with a new block
// of 200 bytes, which is freed.
#include <stdlib.h>
#include <string.h>

static char *skip_spaces(char *text) {
    while (*text == ' ') text++;
    return text;
}

int main(void) {
    char *message = malloc(40);
    if (message == NULL) abort();
    strcpy(message, "        hello");

    char *text = skip_spaces(message);
    char *volatile longer = realloc(text, 200);
    free(longer);
    return 0;
}
