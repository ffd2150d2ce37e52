// bsearch in more elements than there are.
//
// group: overflow in library functions
// expect: heap-overflow read 4 at end+0 of 24
// callback: compare
#include "check.h"

static int compare(const void *a, const void *b) {
    int first = *(const int *)a, second = *(const int *)b;
    return (first > second) - (first < second);
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(6 * sizeof(int));
    for (int i = 0; i < 6; i++) numbers[i] = i;
    size_t count = healthy ? 6 : 7;
    HIDE(count);
    int wanted = 100;
    HIDE(count);
    sink = bsearch(&wanted, numbers, count, sizeof(int), compare) != NULL; // BUG
    free(numbers);
    return 0;
}
