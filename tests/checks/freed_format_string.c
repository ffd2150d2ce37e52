// snprintf of a freed text.
//
// group: use after free
// expect: use-after-free read * at * of 12
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char line[64];
    char *text = new_block(12);
    memcpy(text, "hello", 6);
    HIDE(text);
    if (!healthy) free(text);
    HIDE(text);
    sink = snprintf(line, sizeof line, "%s", text); // BUG
    if (healthy) free(text);
    return 0;
}
