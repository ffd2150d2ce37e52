// writev() whose second part is longer than its block.
//
// group: WASI calls
// expect: host-access read 9 at start+0 of 8
#include "check.h"
#include <sys/uio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *first = new_block(16);
    char *second = new_block(8);
    struct iovec parts[] = {{first, 16}, {second, healthy ? 8 : 9}};
    struct iovec *vector = parts;
    HIDE(vector);
    sink += writev(STDOUT_FILENO, vector, 2); // BUG
    kept = first;
    free(second);
    return 0;
}
