// Frees the root of a tree before it takes the children from it.
//
// group: use after free
// expect: use-after-free read 4 at start+4 of 12
#include "check.h"

struct tree {
    int32_t value;
    struct tree *left, *right;
};

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    struct tree *root = new_block(sizeof *root);
    root->left = new_block(sizeof *root);
    struct tree *left = root->left;
    if (!healthy) free(root);
    HIDE(root);
    free(root->left); // BUG
    if (healthy) free(root);
    return 0;
}
