// memchr for what is not there, with a size that is one too large.
//
// group: overflow in library functions
// expect: heap-overflow read * at * of 21
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *bytes = new_block(21);
    size_t size = healthy ? 21 : 22;
    HIDE(size);
    sink = memchr(bytes, 'y', size) != NULL; // BUG
    free(bytes);
    return 0;
}
