// writev() with a vector that was freed.
//
// group: WASI calls
// expect: host-access read 8 at start+0 of 8
// native: no
#include "check.h"
#include <sys/uio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    struct iovec *vector = new_block(sizeof(struct iovec));
    *vector = (struct iovec){(void *)&sink, 2};
    if (!healthy) free(vector);
    HIDE(vector);
    sink += writev(STDOUT_FILENO, vector, 1); // BUG
    if (healthy) free(vector);
    return 0;
}
