// What every peer's guest does: nothing but what makes a string necessary.
#include <stdlib.h>
#include <string.h>

static char *text;
static size_t size;

// Takes a string in.
unsigned char first(const char *given) { return *given; }

// What `kept` and `copy` hand out.
void keep(const char *given) {
    free(text);
    size = strlen(given) + 1;
    text = malloc(size);
    memcpy(text, given, size);
}

// Gives a string out that stays the guest's.
const char *kept(void) { return text; }

// Gives a string out that the caller owns.
char *copy(void) { return memcpy(malloc(size), text, size); }
