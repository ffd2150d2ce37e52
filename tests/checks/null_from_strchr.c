// Reads behind a character that strchr did not find.
//
// group: NULL
// expect: null-access read 1 at 0x1
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text = healthy ? "key=value" : "key value";
    HIDE(text);
    char *sign = strchr(text, '=');
    HIDE(sign);
    sink = sign[1]; // BUG
    return 0;
}
