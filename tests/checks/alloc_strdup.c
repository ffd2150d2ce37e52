// Appends a character to a copy that strdup made.
//
// group: overflow by kind of allocation
// expect: heap-overflow written 1 at end+0 of 6
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    const char *text = healthy ? "hello!" : "hello";
    HIDE(text);
    char *copy = strdup(text);
    HIDE(copy);
    size_t index = 6;
    HIDE(index);
    copy[index] = '\0'; // BUG
    HIDE(copy);
    free(copy);
    return 0;
}
