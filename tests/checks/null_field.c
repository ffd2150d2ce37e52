// Reads a field at offset 8 of NULL.
//
// group: NULL
// expect: null-access read 4 at 0x8
#include "check.h"

struct point {
    int32_t x, y, z;
};

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    struct point local = {1, 2, 3};
    struct point *point = healthy ? &local : NULL;
    HIDE(point);
    sink = point->z; // BUG
    return 0;
}
