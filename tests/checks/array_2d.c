// Writes the first column of one row too many.
//
// group: overflow in loops and structures
// expect: heap-overflow written 4 at end+0 of 60
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    int(*grid)[5] = new_block(3 * sizeof *grid);
    int rows = healthy ? 3 : 4;
    HIDE(rows);
    for (int row = 0; row < rows; row++) {
        *(volatile int *)&grid[row][0] = row; // BUG
    }
    HIDE(grid);
    free(grid);
    return 0;
}
