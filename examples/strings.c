// A library for a host that passes strings to it: no main, only exports.
// The host owns what `allocate`, `string_duplicate` and `upper` return, and
// gives it back with `deallocate`; the other functions only read their
// argument. linmem reports what a host did not give back as host-held.
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(#name))) name

void *EXPORT(allocate)(size_t size) {
    return malloc(size);
}

void EXPORT(deallocate)(void *block) {
    free(block);
}

char *EXPORT(string_duplicate)(const char *text) {
    return strdup(text);
}

// How many letters "a" there are in the text.
size_t EXPORT(count_as)(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; text++) count += *text == 'a';
    return count;
}

// A copy with the ASCII letters in upper case, or NULL when memory is full.
char *EXPORT(upper)(const char *text) {
    char *copy = strdup(text);
    if (copy == NULL) return NULL;
    for (char *c = copy; *c != '\0'; c++) *c = toupper((unsigned char)*c);
    return copy;
}

// In pages of 64 KiB.
size_t EXPORT(get_memory_size)(void) {
    return __builtin_wasm_memory_size(0);
}
