// v128.load64_zero past the end.
//
// group: SIMD
// expect: heap-overflow read 8 at end+0 of 16
// flags: -msimd128
// native: no
#include "check.h"

#include <wasm_simd128.h>

static volatile v128_t vector;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int64_t *numbers = new_block(healthy ? 24 : 16);
    v128_t two = wasm_v128_load64_zero(numbers + 2); // BUG
    vector = two;
    sink = (int)(wasm_i64x2_extract_lane(two, 0) + wasm_i64x2_extract_lane(two, 1));
    free(numbers);
    return 0;
}
