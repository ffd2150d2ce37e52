// v128.load8_splat past the end.
//
// group: SIMD
// expect: heap-overflow read 1 at end+0 of 9
// flags: -msimd128
// native: no
#include "check.h"

#include <wasm_simd128.h>

static volatile v128_t vector;

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int8_t *bytes = new_block(healthy ? 10 : 9);
    v128_t all = wasm_v128_load8_splat(bytes + 9); // BUG
    vector = all;
    free(bytes);
    return 0;
}
