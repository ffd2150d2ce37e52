// Frees a string literal.
//
// group: double and invalid free
// expect: invalid-free
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = "literal";
    HIDE(text);
    if (!healthy) free(text); // BUG
    return 0;
}
