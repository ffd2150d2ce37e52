// Writes a field of a structure that was allocated with the size of a smaller one.
//
// group: overflow in loops and structures
// expect: heap-overflow written 4 at end+0 of 8
#include "check.h"

struct point {
    int32_t x, y;
};

struct point_3d {
    int32_t x, y, z;
};

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    struct point_3d *point = new_block(healthy ? sizeof(struct point_3d) : sizeof(struct point));
    point->z = 3; // BUG
    HIDE(point);
    free(point);
    return 0;
}
