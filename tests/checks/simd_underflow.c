// v128.load before the start.
//
// group: SIMD
// expect: heap-underflow read 16 at start-16 of 64
// flags: -msimd128
// native: no
#include "check.h"

#include <wasm_simd128.h>

static volatile v128_t vector;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int32_t *numbers = new_block(64);
    int32_t *at = healthy ? numbers : numbers - 4;
    HIDE(at);
    v128_t four = wasm_v128_load(at); // BUG
    vector = four;
    sink = wasm_i32x4_extract_lane(four, 2);
    free(numbers);
    return 0;
}
