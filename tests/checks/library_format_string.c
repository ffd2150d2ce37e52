// snprintf of a text without a NUL.
//
// group: overflow in library functions
// expect: heap-overflow read * at * of 9
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char line[64];
    char *text = new_block(9);
    memset(text, 'x', 9);
    if (healthy) text[8] = '\0';
    sink = snprintf(line, sizeof line, "%s", text); // BUG
    free(text);
    return 0;
}
