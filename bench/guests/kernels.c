// Benchmark: loops that do little except access memory, each in blocks of its own.
// Arguments: the kernel (update, sum, hash, chase, product or sort), and how often it runs.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 1 << 16, NODES = 1 << 14, SIDE = 96 };

static uint32_t state = 1;

// A linear congruential generator: the same numbers each time.
static uint32_t next_random(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static uint32_t *random_words(int count) {
    uint32_t *words = malloc(count * sizeof *words);
    for (int i = 0; i < count; i++) words[i] = next_random();
    return words;
}

// Each pass is a call: some engines optimise a function only when it is called again.
#define PASS __attribute__((noinline)) static

PASS void update_once(uint32_t *words, int t) {
    for (int i = 0; i < WORDS; i++) words[words[i] % WORDS] += i ^ t;
}

static uint32_t update(int times) {
    uint32_t *words = random_words(WORDS);
    for (int t = 0; t < times; t++) update_once(words, t);
    uint32_t result = words[1];
    free(words);
    return result;
}

PASS uint32_t sum_once(const uint32_t *words, uint32_t result) {
    for (int i = 0; i < WORDS; i++) result += words[i] ^ result >> 3;
    return result;
}

static uint32_t sum(int times) {
    uint32_t *words = random_words(WORDS), result = 0;
    for (int t = 0; t < times; t++) result = sum_once(words, result);
    free(words);
    return result;
}

PASS uint32_t hash_once(const unsigned char *bytes, uint32_t result) {
    for (int i = 0; i < WORDS; i++) result = (result ^ bytes[i]) * 16777619u;
    return result;
}

static uint32_t hash(int times) {
    uint32_t *words = random_words(WORDS), result = 2166136261u;
    for (int t = 0; t < times; t++) result = hash_once((const unsigned char *)words, result);
    free(words);
    return result;
}

struct node {
    struct node *next;
    uint32_t value;
};

PASS uint32_t chase_once(const struct node *node, uint32_t result) {
    for (int i = 0; i < NODES; i++, node = node->next) result = result * 3 + node->value;
    return result;
}

static uint32_t chase(int times) {
    struct node **nodes = malloc(NODES * sizeof *nodes);
    for (int i = 0; i < NODES; i++) nodes[i] = malloc(sizeof **nodes);
    for (int i = NODES - 1; i > 0; i--) {
        int j = next_random() % (i + 1);
        struct node *other = nodes[j];
        nodes[j] = nodes[i], nodes[i] = other;
    }
    for (int i = 0; i < NODES; i++) {
        nodes[i]->next = nodes[(i + 1) % NODES];
        nodes[i]->value = i;
    }
    uint32_t result = 0;
    for (int t = 0; t < times; t++) result = chase_once(nodes[0], result);
    for (int i = 0; i < NODES; i++) free(nodes[i]);
    free(nodes);
    return result;
}

PASS void multiply(const double *a, const double *b, double *c, int t) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            double dot = t;
            for (int k = 0; k < SIDE; k++) dot += a[i * SIDE + k] * b[k * SIDE + j];
            c[i * SIDE + j] = dot;
        }
}

static uint32_t product(int times) {
    double *a = malloc(SIDE * SIDE * sizeof *a), *b = malloc(SIDE * SIDE * sizeof *b);
    double *c = malloc(SIDE * SIDE * sizeof *c);
    for (int i = 0; i < SIDE * SIDE; i++) a[i] = next_random() % 7, b[i] = next_random() % 5;
    for (int t = 0; t < times; t++) multiply(a, b, c, t);
    uint32_t result = (uint32_t)c[SIDE + 1];
    free(a), free(b), free(c);
    return result;
}

static int compare(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static uint32_t sort(int times) {
    uint32_t result = 0;
    for (int t = 0; t < times; t++) {
        uint32_t *words = random_words(NODES);
        qsort(words, NODES, sizeof *words, compare);
        result ^= words[NODES / 2];
        free(words);
    }
    return result;
}

static const struct {
    const char *name;
    uint32_t (*run)(int times);
} kernels[] = {{"update", update}, {"sum", sum},         {"hash", hash},
               {"chase", chase},   {"product", product}, {"sort", sort}};

int main(int argc, char **argv) {
    int times = argc > 2 ? atoi(argv[2]) : 1;
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (argc < 2 || strcmp(argv[1], kernels[i].name) == 0)
            printf("%s %u\n", kernels[i].name, kernels[i].run(times));
    return 0;
}
