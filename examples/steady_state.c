// A server that frees all that it allocates for a request.
//
// linmem reports: 2,000 allocations, 2,000 frees, no leaks. Memory grows
// during the first request, to hold its 200,000 bytes, and never again.
#include <stdlib.h>
#include <string.h>

// Each function keeps a frame of its own in call stacks.
#define NOINLINE __attribute__((noinline))

#define REQUESTS 200
#define BUFFERS 10
#define BUFFER_SIZE 20000

NOINLINE static char *new_buffer(void) {
    char *buffer = malloc(BUFFER_SIZE);
    if (buffer == NULL) abort();
    return memset(buffer, ' ', BUFFER_SIZE);
}

NOINLINE static void handle_request(void) {
    char *volatile buffers[BUFFERS];
    for (int i = 0; i < BUFFERS; i++) buffers[i] = new_buffer();
    for (int i = 0; i < BUFFERS; i++) free(buffers[i]);
}

int main(void) {
    for (int i = 0; i < REQUESTS; i++) handle_request();
    return 0;
}
