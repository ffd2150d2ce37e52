// snprintf with a size that is larger than the block.
//
// group: overflow in library functions
// expect: heap-overflow written * at * of 12
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    size_t size = healthy ? 12 : 120;
    HIDE(size);
    char *text = new_block(12);
    snprintf(text, size, "%s, %s", "hello", "world!"); // BUG
    HIDE(text);
    free(text);
    return 0;
}
