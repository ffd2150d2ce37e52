// A header with text behind it has no room for the NUL.
//
// group: overflow in loops and structures
// expect: heap-overflow written 1 at end+0 of 15
#include "check.h"

struct text {
    uint32_t length;
    char bytes[];
};

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    size_t length = 11;
    HIDE(length);
    struct text *text = new_block(sizeof(struct text) + length + (healthy ? 1 : 0));
    text->length = length;
    text->bytes[length] = '\0'; // BUG
    HIDE(text);
    free(text);
    return 0;
}
