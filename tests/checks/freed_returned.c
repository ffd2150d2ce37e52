// A function returns a pointer to a block that it freed.
//
// group: use after free
// expect: use-after-free read 1 at start+0 of 12
#include "check.h"

NOINLINE static char *name(bool healthy) {
    char *text = new_block(12);
    if (!healthy) free(text);
    HIDE(text);
    return text;
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = name(healthy);
    sink = text[0]; // BUG
    if (healthy) free(text);
    return 0;
}
