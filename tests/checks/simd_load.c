// v128.load past the end.
//
// group: SIMD
// expect: heap-overflow read 16 at end+0 of 64
// flags: -msimd128
// native: no
#include "check.h"

#include <wasm_simd128.h>

static volatile v128_t vector;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int32_t *numbers = new_block(healthy ? 80 : 64);
    v128_t four = wasm_v128_load(numbers + 16); // BUG
    vector = four;
    sink = wasm_i32x4_extract_lane(four, 0);
    free(numbers);
    return 0;
}
