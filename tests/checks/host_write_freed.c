// write() of a block that was freed.
//
// group: WASI calls
// expect: host-access read 24 at start+0 of 24
#include "check.h"
#include <unistd.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(24);
    if (!healthy) free(block);
    HIDE(block);
    sink += write(STDOUT_FILENO, block, 24); // BUG
    if (healthy) free(block);
    return 0;
}
