// Reads a field of a freed structure.
//
// group: use after free
// expect: use-after-free read 4 at start+8 of 12
#include "check.h"

struct point {
    int32_t x, y, z;
};

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    struct point *point = new_block(sizeof *point);
    if (!healthy) free(point);
    HIDE(point);
    sink = point->z; // BUG
    if (healthy) free(point);
    return 0;
}
