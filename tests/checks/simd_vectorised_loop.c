// A sum that compilers vectorise reads four elements too many.
//
// group: SIMD
// expect: heap-overflow read * at end+0 of 80
// flags: -msimd128
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int *numbers = new_block(20 * sizeof(int));
    int count = healthy ? 20 : 24;
    HIDE(count);
    int sum = 0;
    for (int i = 0; i < count; i++) sum += numbers[i]; // BUG
    sink = sum;
    free(numbers);
    return 0;
}
