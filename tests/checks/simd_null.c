// v128.load at NULL.
//
// group: SIMD
// expect: null-access read 16 at 0x0
// flags: -msimd128
// native: no
#include "check.h"

#include <wasm_simd128.h>

static volatile v128_t vector;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int32_t *numbers = new_block(64);
    int32_t *at = healthy ? numbers : NULL;
    HIDE(at);
    v128_t four = wasm_v128_load(at); // BUG
    vector = four;
    sink = wasm_i32x4_extract_lane(four, 2);
    free(numbers);
    return 0;
}
