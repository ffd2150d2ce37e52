// v128.store16_lane past the end.
//
// group: SIMD
// expect: heap-overflow written 2 at end+0 of 12
// flags: -msimd128
// native: no
#include "check.h"

#include <wasm_simd128.h>

static volatile v128_t vector;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int16_t *numbers = new_block(healthy ? 14 : 12);
    v128_t eight = wasm_i16x8_splat(argc);
    wasm_v128_store16_lane(numbers + 6, eight, 3); // BUG
    HIDE(numbers);
    free(numbers);
    return 0;
}
