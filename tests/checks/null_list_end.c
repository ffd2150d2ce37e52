// Walks past the end of a list.
//
// group: NULL
// expect: null-access read 4 at 0x0
#include "check.h"

struct node {
    struct node *next;
    int32_t value;
};

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    struct node second = {NULL, 2}, first = {&second, 1};
    struct node *node = &first;
    int steps = healthy ? 1 : 2;
    HIDE(steps);
    for (int i = 0; i < steps; i++) {
        HIDE(node);
        node = node->next;
    }
    HIDE(node);
    sink = node != NULL || !healthy ? (node->next != NULL) : 0; // BUG
    return 0;
}
