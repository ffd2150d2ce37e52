// v128.load32_lane past the end.
//
// group: SIMD
// expect: heap-overflow read 4 at end+0 of 12
// flags: -msimd128
// native: no
#include "check.h"

#include <wasm_simd128.h>

static volatile v128_t vector;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int32_t *numbers = new_block(healthy ? 16 : 12);
    v128_t four = wasm_i32x4_splat(argc);
    four = wasm_v128_load32_lane(numbers + 3, four, 1); // BUG
    vector = four;
    sink = wasm_i32x4_extract_lane(four, 0) + wasm_i32x4_extract_lane(four, 1);
    free(numbers);
    return 0;
}
