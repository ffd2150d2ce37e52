// One leak of each kind. Every block has a size and an allocating function
// of its own, so that each can be told apart in a report.
//
// linmem reports 5 blocks, 1,520 bytes, at the end:
//   definite   2 blocks, 300 bytes: 100 from forget_message, 200 from new_album
//   indirect   1 block,  320 bytes: from new_photo, held only by the lost album
//   possible   1 block,  400 bytes: from open_cursor, only its inside is pointed to
//   reachable  1 block,  500 bytes: from fill_cache, still held by a static
#include <stdlib.h>
#include <string.h>

// Each allocating function keeps a frame of its own in call stacks.
#define NOINLINE __attribute__((noinline))

struct album {
    char title[196];
    char *photo;
};

// Volatile, so that the compiler cannot see that no code reads them.
static char *volatile cursor;
static char *volatile cache;

NOINLINE static void forget_message(void) {
    char *volatile message = malloc(100);
    strcpy(message, "nobody frees this");
}

NOINLINE static char *new_photo(void) {
    return calloc(1, 320);
}

NOINLINE static struct album *new_album(void) {
    return calloc(1, sizeof(struct album));
}

NOINLINE static void lose_album(void) {
    struct album *volatile album = new_album();
    album->photo = new_photo();
}

NOINLINE static void open_cursor(void) {
    char *text = calloc(1, 400);
    cursor = text + 40;
}

NOINLINE static void fill_cache(void) {
    cache = calloc(1, 500);
}

NOINLINE static void use_and_free(void) {
    char *volatile scratch = malloc(600);
    strcpy(scratch, "not a leak");
    free(scratch);
}

int main(void) {
    forget_message();
    lose_album();
    open_cursor();
    fill_cache();
    use_and_free();
    return 0;
}
