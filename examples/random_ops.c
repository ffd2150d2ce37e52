// Executes the heap operations that it reads from stdin, on 256 slots. It is
// driven by a property test, whose model predicts every number of the report;
// so it allocates nothing else: it has no stdio and takes no arguments.
//
//   m SLOT SIZE          slot = malloc(size)
//   c SLOT COUNT SIZE    slot = calloc(count, size)
//   r SLOT SIZE          slot = realloc(slot, size); a failure keeps the block
//   a SLOT ALIGN SIZE    slot = aligned_alloc(align, size)
//   p SLOT ALIGN SIZE    posix_memalign(&slot, align, size); NULL if it fails
//   f SLOT               free(slot); slot = NULL
//
// One operation a line, all numbers decimal. Storing into a slot that holds a
// block loses that block (a definite leak); what the slots hold at the end is
// reachable. Exits with 0; with 1 at a line it does not understand; with 2 when
// a block does not hold what it has to.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 256

static void *slots[SLOTS];

// The size of each slot's block, with all bits inverted: a small number could be
// an address, and hide a leak.
static size_t inverted_sizes[SLOTS];

// The next byte of stdin, or -1 at its end.
static int next_byte(void) {
    static unsigned char buffer[4096];
    static ssize_t length, position;
    if (position == length) {
        length = read(0, buffer, sizeof buffer);
        position = 0;
        if (length <= 0) return -1;
    }
    return buffer[position++];
}

// The number after the spaces that come next; also takes the byte behind it.
static size_t next_number(void) {
    size_t number = 0;
    int byte = next_byte();
    while (byte == ' ') byte = next_byte();
    for (; byte >= '0' && byte <= '9'; byte = next_byte()) number = 10 * number + (byte - '0');
    return number;
}

static void expect(const unsigned char *block, size_t size, unsigned char byte) {
    for (size_t i = 0; i < size; i++) {
        if (block[i] != byte) _Exit(2);
    }
}

// Blocks must not contain what an earlier owner left there: old pointers.
static void put(size_t slot, void *block, size_t size) {
    slots[slot] = block == NULL ? NULL : memset(block, 0xa5, size);
    inverted_sizes[slot] = block == NULL ? 0 : ~size;
}

static void put_zeros(size_t slot, size_t count, size_t size) {
    void *block = calloc(count, size);
    if (block != NULL) expect(block, count * size, 0);
    put(slot, block, count * size);
}

static void grow(size_t slot, size_t size) {
    size_t old = slots[slot] == NULL ? 0 : ~inverted_sizes[slot];
    void *block = realloc(slots[slot], size);
    if (block == NULL && size > 0) return;
    if (block != NULL) expect(block, old < size ? old : size, 0xa5);
    put(slot, block, size);
}

static void put_aligned(size_t slot, size_t align, size_t size) {
    void *block = NULL;
    if (posix_memalign(&block, align, size) != 0) block = NULL;
    put(slot, block, size);
}

static void release(size_t slot) {
    if (slots[slot] != NULL) expect(slots[slot], ~inverted_sizes[slot], 0xa5);
    free(slots[slot]);
    slots[slot] = NULL;
}

int main(void) {
    for (int operation; (operation = next_byte()) != -1;) {
        size_t slot = next_number() % SLOTS;
        size_t first = operation == 'f' ? 0 : next_number();
        switch (operation) {
        case 'm': put(slot, malloc(first), first); break;
        case 'c': put_zeros(slot, first, next_number()); break;
        case 'r': grow(slot, first); break;
        case 'a': {
            size_t size = next_number();
            put(slot, aligned_alloc(first, size), size);
            break;
        }
        case 'p': put_aligned(slot, first, next_number()); break;
        case 'f': release(slot); break;
        default: return 1;
        }
    }
    return 0;
}
