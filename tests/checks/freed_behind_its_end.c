// Reads the third character of a freed text of one.
//
// group: use after free
// expect: use-after-free read 1 at end+1 of 1
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *before = new_block(16);
    char *text = new_block(healthy ? 3 : 1);
    char *after = new_block(16);
    if (!healthy) free(text);
    HIDE(text);
    sink = text[2]; // BUG
    if (healthy) free(text);
    free(before);
    free(after);
    return 0;
}
