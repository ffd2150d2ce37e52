// Frees a static array.
//
// group: double and invalid free
// expect: invalid-free
#include "check.h"

static char table[32];

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *at = table;
    HIDE(at);
    if (!healthy) free(at); // BUG
    return 0;
}
