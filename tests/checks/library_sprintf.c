// sprintf of a number with more digits than there is room for.
//
// group: overflow in library functions
// expect: heap-overflow written * at * of 8
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int number = healthy ? 1234567 : 123456789;
    HIDE(number);
    char *text = new_block(8);
    sprintf(text, "%d", number); // BUG
    HIDE(text);
    free(text);
    return 0;
}
