// Random bytes for a block that was freed.
//
// group: WASI calls
// expect: host-access written 8 at start+0 of 8
#include "check.h"
#include <unistd.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *seed = new_block(8);
    if (!healthy) free(seed);
    HIDE(seed);
    sink += getentropy(seed, 8); // BUG
    if (healthy) free(seed);
    return 0;
}
