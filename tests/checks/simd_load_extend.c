// v128.load8x8_u of which half lies past the end.
//
// group: SIMD
// expect: heap-overflow read 8 at end-4 of 12
// flags: -msimd128
// native: no
#include "check.h"

#include <wasm_simd128.h>

static volatile v128_t vector;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    uint8_t *bytes = new_block(healthy ? 16 : 12);
    v128_t eight = wasm_u16x8_load8x8(bytes + 8); // BUG
    vector = eight;
    sink = wasm_u16x8_extract_lane(eight, 0) + wasm_u16x8_extract_lane(eight, 7);
    free(bytes);
    return 0;
}
