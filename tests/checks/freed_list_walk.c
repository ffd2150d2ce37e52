// Frees a list and takes the next node from the freed one.
//
// group: use after free
// expect: use-after-free read 4 at start+4 of 8
#include "check.h"

struct node {
    int32_t value;
    struct node *next;
};

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    struct node *list = NULL;
    for (int i = 0; i < 3; i++) {
        struct node *node = new_block(sizeof *node);
        node->next = list;
        list = node;
    }
    while (list != NULL) {
        struct node *node = list;
        if (healthy) list = node->next;
        free(node);
        HIDE(node);
        if (!healthy) list = node->next; // BUG
    }
    return 0;
}
