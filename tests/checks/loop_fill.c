// A loop that compilers turn into memset fills two bytes too many.
//
// group: overflow in loops and structures
// expect: heap-overflow written * at * of 10
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *letters = new_block(10);
    int count = healthy ? 10 : 12;
    HIDE(count);
    for (int i = 0; i < count; i++) letters[i] = 'x'; // BUG
    HIDE(letters);
    free(letters);
    return 0;
}
