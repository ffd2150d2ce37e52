// Exits in the function that has the bug.
//
// group: how the program goes on
// expect: heap-overflow read 1 at end+0 of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    kept = block;
    size_t index = healthy ? 19 : 20;
    HIDE(index);
    sink = block[index]; // BUG
    exit(0);
    return 0;
}
