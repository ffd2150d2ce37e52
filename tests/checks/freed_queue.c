// A queue gives out an element that it has freed.
//
// group: use after free
// expect: use-after-free read 4 at start+0 of 8
#include "check.h"

struct element {
    int32_t value, priority;
};

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    struct element *ring[4];
    for (int i = 0; i < 4; i++) {
        ring[i] = new_block(sizeof *ring[i]);
        ring[i]->value = i;
    }
    free(ring[0]);
    int next = healthy ? 1 : 0;
    HIDE(next);
    sink = ((volatile struct element *)ring[next])->value; // BUG
    for (int i = 1; i < 4; i++) free(ring[i]);
    return 0;
}
