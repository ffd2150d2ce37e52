// v128.store of which half lies past the end.
//
// group: SIMD
// expect: heap-overflow written 16 at end-8 of 56
// flags: -msimd128
// native: no
#include "check.h"

#include <wasm_simd128.h>

static volatile v128_t vector;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int32_t *numbers = new_block(healthy ? 64 : 56);
    wasm_v128_store(numbers + 12, wasm_i32x4_splat(argc)); // BUG
    HIDE(numbers);
    free(numbers);
    return 0;
}
