// Benchmark: a chained hash map from strings to numbers, whose nodes and keys
// are blocks of their own. Random keys are looked up; one that is missing is
// inserted, and now and then one that is found is erased.
// Argument: thousands of operations (10,000 by default).
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define KEYS 16384

struct entry {
    struct entry *next;
    char *key;
    uint32_t value;
};

static struct entry *buckets[BUCKETS];

static uint32_t hash(const char *key) {
    uint32_t hash = 2166136261u;
    for (; *key != '\0'; key++) hash = (hash ^ (unsigned char)*key) * 16777619u;
    return hash;
}

// The link that points to the key's entry, or to NULL at the chain's end.
static struct entry **find(const char *key) {
    struct entry **link = &buckets[hash(key) % BUCKETS];
    while (*link != NULL && strcmp((*link)->key, key) != 0) link = &(*link)->next;
    return link;
}

static void insert(struct entry **link, const char *key) {
    struct entry *entry = malloc(sizeof *entry);
    char *copy = strdup(key);
    if (entry == NULL || copy == NULL) abort();
    *entry = (struct entry){.next = *link, .key = copy, .value = 1};
    *link = entry;
}

static void erase(struct entry **link) {
    struct entry *entry = *link;
    *link = entry->next;
    free(entry->key);
    free(entry);
}

static uint32_t random_number(void) {
    static uint32_t state = 12345;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

// The numbers' letters are hexadecimal digits, lowest first.
static void make_key(char *key, uint32_t number) {
    strcpy(key, "/customers/addresses/");
    for (key += strlen(key); number > 0; number >>= 4) *key++ = "0123456789abcdef"[number & 15];
    strcpy(key, "/postcode");
}

int main(int argc, char **argv) {
    int operations = 1000 * (argc > 1 ? atoi(argv[1]) : 10000);
    uint32_t inserted = 0, erased = 0, checksum = 0;
    for (int i = 0; i < operations; i++) {
        char key[64];
        make_key(key, random_number() % KEYS);
        struct entry **link = find(key);
        if (*link == NULL) {
            insert(link, key);
            inserted++;
        } else if (random_number() % 8 == 0) {
            erase(link);
            erased++;
        } else {
            checksum += (*link)->value++;
        }
    }
    for (int i = 0; i < BUCKETS; i++) {
        while (buckets[i] != NULL) erase(&buckets[i]);
    }
    printf("%u inserted, %u erased, checksum %u\n", inserted, erased, checksum);
    return 0;
}
