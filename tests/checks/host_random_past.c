// Random bytes for a key of one more byte than the block has.
//
// group: WASI calls
// expect: host-access written 33 at start+0 of 32
#include "check.h"
#include <unistd.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *key = new_block(32);
    size_t size = healthy ? 32 : 33;
    HIDE(size);
    sink += getentropy(key, size); // BUG
    kept = key;
    return 0;
}
