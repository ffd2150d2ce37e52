// strlen of NULL.
//
// group: NULL
// expect: null-access read * at 0x0
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    const char *text = healthy ? "text" : NULL;
    HIDE(text);
    sink = (int)strlen(text); // BUG
    return 0;
}
