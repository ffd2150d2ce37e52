// read() into the second half of a block, of as many bytes as the whole block has.
//
// group: WASI calls
// expect: host-access written 32 at start+16 of 32
#include "check.h"
#include <unistd.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(32);
    size_t size = healthy ? 16 : 32;
    HIDE(size);
    sink += read(STDIN_FILENO, block + 16, size); // BUG
    kept = block;
    return 0;
}
