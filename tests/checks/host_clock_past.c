// The time, of eight bytes, for a block of four.
//
// group: WASI calls
// expect: host-access written 8 at start+0 of 4
// native: no
#include "check.h"
#include <wasi/api.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    __wasi_timestamp_t *time = new_block(healthy ? 8 : 4);
    sink += __wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, time); // BUG
    kept = time;
    return 0;
}
