// Reads one of several blocks that a loop freed.
//
// group: use after free
// expect: use-after-free read 1 at start+0 of 24
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *rows[4];
    for (int i = 0; i < 4; i++) rows[i] = new_block(24);
    if (!healthy) {
        for (int i = 0; i < 4; i++) free(rows[i]);
    }
    char *row = rows[2];
    HIDE(row);
    sink = row[0]; // BUG
    if (healthy) {
        for (int i = 0; i < 4; i++) free(rows[i]);
    }
    return 0;
}
