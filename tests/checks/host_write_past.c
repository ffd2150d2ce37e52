// write() of a byte more than the block has.
//
// group: WASI calls
// expect: host-access read 11 at start+0 of 10
#include "check.h"
#include <unistd.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(10);
    size_t size = healthy ? 10 : 11;
    HIDE(size);
    sink += write(STDOUT_FILENO, block, size); // BUG
    kept = block;
    return 0;
}
