// The arguments, for a block that has no room for the last NUL: nobody says how long they are, so only what they have
// overwritten is found.
//
// group: WASI calls
// expect: block-overwritten found 1 at end+0 of *
// native: no
#include "check.h"
#include <wasi/api.h>

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    size_t count, size;
    sink += __wasi_args_sizes_get(&count, &size);
    uint8_t **list = new_block(count * sizeof *list);
    uint8_t *texts = new_block(size - !healthy);
    sink += __wasi_args_get(list, texts); // BUG
    kept = texts;
    free(list);
    return 0;
}
