// write() of what is at NULL.
//
// group: WASI calls
// expect: host-access read 4 at 0x0
#include "check.h"
#include <unistd.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = healthy ? new_block(4) : NULL;
    HIDE(block);
    sink += write(STDOUT_FILENO, block, 4); // BUG
    free(block);
    return 0;
}
