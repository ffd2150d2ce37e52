// read() into a block that is four bytes too short.
//
// group: WASI calls
// expect: host-access written 20 at start+0 of 16
#include "check.h"
#include <unistd.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(16);
    size_t size = healthy ? 16 : 20;
    HIDE(size);
    sink += read(STDIN_FILENO, block, size); // BUG
    kept = block;
    return 0;
}
