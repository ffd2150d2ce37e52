// write() of more bytes than the memory has.
//
// group: WASI calls
// expect: host-access read 1073741824 at *
// native: no
#include "check.h"
#include <unistd.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(40);
    size_t size = healthy ? 40 : 1 << 30;
    HIDE(size);
    sink += write(STDOUT_FILENO, block, size); // BUG
    kept = block;
    return 0;
}
