// atoi of digits without an end.
//
// group: overflow in library functions
// expect: heap-overflow read 1 at end+0 of 4
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *digits = new_block(4);
    memcpy(digits, healthy ? "123" : "1234", 4);
    sink = atoi(digits); // BUG
    free(digits);
    return 0;
}
