// Two structures share a block, and one of them frees it.
//
// group: use after free
// expect: use-after-free written 4 at start+0 of 16
#include "check.h"

struct owner {
    int *numbers;
};

NOINLINE static void release(struct owner *owner) {
    free(owner->numbers);
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *shared = new_block(16);
    struct owner first = {shared}, second = {shared};
    if (!healthy) release(&first);
    HIDE(second.numbers);
    second.numbers[0] = 1; // BUG
    if (healthy) release(&first);
    return 0;
}
