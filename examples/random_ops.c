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
// reachable. Exits with 0, or with 1 at a line it does not understand.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 256

static void *slots[SLOTS];

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

// Blocks must not contain what an earlier owner left there: old pointers.
static void *filled(void *block, size_t size) {
    return block == NULL ? NULL : memset(block, 0xa5, size);
}

static void *grown(void *block, size_t size) {
    void *result = realloc(block, size);
    return result == NULL && size > 0 ? block : filled(result, size);
}

static void *posix_aligned(size_t align, size_t size) {
    void *block = NULL;
    return posix_memalign(&block, align, size) == 0 ? filled(block, size) : NULL;
}

int main(void) {
    for (int operation; (operation = next_byte()) != -1;) {
        void **slot = &slots[next_number() % SLOTS];
        size_t first = operation == 'f' ? 0 : next_number();
        switch (operation) {
        case 'm': *slot = filled(malloc(first), first); break;
        case 'c': *slot = calloc(first, next_number()); break;
        case 'r': *slot = grown(*slot, first); break;
        case 'a': {
            size_t size = next_number();
            *slot = filled(aligned_alloc(first, size), size);
            break;
        }
        case 'p': *slot = posix_aligned(first, next_number()); break;
        case 'f': free(*slot); *slot = NULL; break;
        default: return 1;
        }
    }
    return 0;
}
