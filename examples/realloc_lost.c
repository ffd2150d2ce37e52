// The classic `p = realloc(p, size)`: when it fails, the old block is lost.
// Run it with --max-pages 4.
//
// linmem then reports: 1 failed allocation, a realloc to 128,000 bytes, and
// the 64,000 bytes that the buffer had before as 1 definite leak. Without a
// limit the buffer grows to 1,024,000 bytes and is freed: no findings.
#include <stdlib.h>

int main(void) {
    char *volatile buffer = NULL;
    for (size_t size = 64000; size <= 1024000; size *= 2) {
        buffer = realloc(buffer, size);
        if (buffer == NULL) return 0;
    }
    free(buffer);
    return 0;
}
