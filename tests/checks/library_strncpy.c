// strncpy fills with zeros up to a size that is too large.
//
// group: overflow in library functions
// expect: heap-overflow written * at * of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = new_block(20);
    size_t size = healthy ? 20 : 26;
    HIDE(size);
    strncpy(text, "short", size); // BUG
    HIDE(text);
    free(text);
    return 0;
}
