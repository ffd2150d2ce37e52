// Appends to a text that asprintf allocated.
//
// group: overflow by kind of allocation
// expect: heap-overflow written 1 at end+0 of 6
#define _GNU_SOURCE
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *text;
    if (asprintf(&text, "%d", healthy ? 123456 : 12345) < 0) return 2;
    HIDE(text);
    size_t index = 6;
    HIDE(index);
    text[index] = '\0'; // BUG
    HIDE(text);
    free(text);
    return 0;
}
