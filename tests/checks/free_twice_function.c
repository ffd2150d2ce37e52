// A structure is released twice.
//
// group: double and invalid free
// expect: double-free in release
#include "check.h"

struct owner {
    char *block;
};

NOINLINE static void release(struct owner *owner, bool healthy) {
    free(owner->block); // BUG
    if (healthy) owner->block = NULL;
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    struct owner owner = {new_block(20)};
    release(&owner, healthy);
    HIDE(owner.block);
    release(&owner, healthy);
    return 0;
}
