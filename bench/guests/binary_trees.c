// Benchmark: binary trees, after the Computer Language Benchmarks Game. Many
// short-lived trees are built, checked and freed while one large tree lives.
// Argument: the depth of the largest tree (14 by default).
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_DEPTH 4
#define LABEL_SIZE 500

struct node {
    struct node *left, *right;
    unsigned char label[LABEL_SIZE];
};

static struct node *build(int depth) {
    struct node *node = malloc(sizeof *node);
    if (node == NULL) abort();
    memset(node->label, depth + 1, LABEL_SIZE);
    node->left = depth > 0 ? build(depth - 1) : NULL;
    node->right = depth > 0 ? build(depth - 1) : NULL;
    return node;
}

static uint32_t check(const struct node *node) {
    if (node == NULL) return 0;
    uint32_t hash = 1;
    for (int i = 0; i < LABEL_SIZE; i++) hash = 31 * hash + node->label[i];
    return hash + 3 * check(node->left) + 5 * check(node->right);
}

static void destroy(struct node *node) {
    if (node == NULL) return;
    destroy(node->left);
    destroy(node->right);
    free(node);
}

static uint32_t build_check_destroy(int depth) {
    struct node *tree = build(depth);
    uint32_t checksum = check(tree);
    destroy(tree);
    return checksum;
}

int main(int argc, char **argv) {
    int max_depth = argc > 1 ? atoi(argv[1]) : 14;
    printf("stretch tree of depth %d: %u\n", max_depth + 1, build_check_destroy(max_depth + 1));

    struct node *long_lived = build(max_depth);
    for (int depth = MIN_DEPTH; depth <= max_depth; depth += 2) {
        int trees = 1 << (max_depth - depth + MIN_DEPTH);
        uint32_t checksum = 0;
        for (int i = 0; i < trees; i++) checksum += build_check_destroy(depth);
        printf("%d trees of depth %d: %u\n", trees, depth, checksum);
    }
    printf("long-lived tree of depth %d: %u\n", max_depth, check(long_lived));
    destroy(long_lived);
    return 0;
}
