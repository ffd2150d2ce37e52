// Frees a local array.
//
// group: double and invalid free
// expect: invalid-free
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char local[32] = {0};
    char *at = local;
    HIDE(at);
    if (!healthy) free(at); // BUG
    return 0;
}
