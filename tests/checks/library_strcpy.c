// strcpy into a block of strlen bytes.
//
// group: overflow in library functions
// expect: heap-overflow written * at * of 5
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    const char *text = "hello";
    HIDE(text);
    char *copy = malloc(strlen(text) + (healthy ? 1 : 0));
    HIDE(copy);
    strcpy(copy, text); // BUG
    HIDE(copy);
    free(copy);
    return 0;
}
