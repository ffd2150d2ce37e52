// Writes through NULL.
//
// group: NULL
// expect: null-access written 4 at 0x0
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int number = 1;
    int *at = healthy ? &number : NULL;
    HIDE(at);
    *at = 2; // BUG
    return 0;
}
