// Reads past the end of a block that has grown many times, with all that was in it.
//
// group: overflow by kind of allocation
// expect: heap-overflow read 4 at end+0 of 4000
#define MORE_CALLERS
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = NULL;
    HIDE(numbers);
    for (int i = 0; i < 1000; i++) {
        numbers = realloc(numbers, (i + 1) * sizeof(int));
        HIDE(numbers);
        if (numbers == NULL) abort();
        numbers[i] = i;
    }
    for (int i = 0; i < 1000; i++) {
        if (numbers[i] != i) abort();
    }
    sink = numbers[healthy ? 999 : 1000]; // BUG
    free(numbers);
    return 0;
}
