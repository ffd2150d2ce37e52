// A server that forgets to free a part of every request it handles.
//
// linmem reports: 200 definite leaks, 800,000 bytes, all from read_path; and
// that memory grows by a page about every 16 requests and never gets steady.
// 400 allocations, 200 frees.
#include <stdlib.h>
#include <string.h>

// Each function keeps a frame of its own in call stacks.
#define NOINLINE __attribute__((noinline))

#define REQUESTS 200
#define PATH_SIZE 4000

struct request {
    int number;
    char *path;
};

NOINLINE static char *read_path(void) {
    char *path = malloc(PATH_SIZE);
    if (path == NULL) abort();
    return strcpy(path, "/index.html");
}

NOINLINE static struct request *read_request(int number) {
    struct request *request = malloc(sizeof *request);
    if (request == NULL) abort();
    *request = (struct request){.number = number, .path = read_path()};
    return request;
}

NOINLINE static void free_request(struct request *request) {
    free(request);  // and request->path?
}

int main(void) {
    for (int i = 0; i < REQUESTS; i++) free_request(read_request(i));
    return 0;
}
