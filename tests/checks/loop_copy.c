// A loop that compilers may unroll or turn into memcpy copies two bytes too many.
//
// group: overflow in loops and structures
// expect: heap-overflow read * at * of 10
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *letters = new_block(10);
    char copy[16];
    int count = healthy ? 10 : 12;
    HIDE(count);
    for (int i = 0; i < count; i++) copy[i] = letters[i]; // BUG
    char *copied = copy;
    HIDE(copied);
    free(letters);
    return 0;
}
