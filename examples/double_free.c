// Two owners of one block: each of them frees it.
//
// linmem reports: 1 double free, of the 40-byte block that new_name
// allocated: close_connection frees it first, main frees it again. wasi-libc
// does not notice, so the program goes on and exits with 0.
#include <stdlib.h>
#include <string.h>

// Each function keeps a frame of its own in call stacks.
#define NOINLINE __attribute__((noinline))

struct connection {
    char *user;
};

NOINLINE static char *new_name(const char *name) {
    char *copy = malloc(40);
    if (copy == NULL) abort();
    return strcpy(copy, name);
}

NOINLINE static void close_connection(struct connection *connection) {
    free(connection->user);
}

int main(void) {
    char *name = new_name("Ada");
    struct connection connection = {.user = name};
    close_connection(&connection);
    free(name);
    return 0;
}
