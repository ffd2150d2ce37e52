// A library in C with wasi-libc's allocator, as a host meets it that passes strings.
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))

// The library's own functions, under the names that hosts look for.
EXPORT("malloc") void *exported_malloc(size_t size) { return malloc(size); }
EXPORT("free") void exported_free(void *block) { free(block); }
EXPORT("realloc") void *exported_realloc(void *block, size_t size) { return realloc(block, size); }
EXPORT("strlen") size_t exported_strlen(const char *text) { return strlen(text); }

// The caller owns the copy.
EXPORT("duplicate") char *duplicate(const char *text) { return strdup(text); }

// Whichever comes first in the order of bytes, and still the caller's.
EXPORT("lesser") const char *lesser(const char *a, const char *b) { return strcmp(a, b) <= 0 ? a : b; }

// A new string; NULL for none.
EXPORT("join") char *join(const char *a, const char *b) {
    if (a == NULL || b == NULL) return NULL;
    char *joined = malloc(strlen(a) + strlen(b) + 1);
    if (joined == NULL) return NULL;
    return strcat(strcpy(joined, a), b);
}

EXPORT("greeting") const char *greeting(void) { return "hello"; }
EXPORT("grow") int grow(int pages) { return __builtin_wasm_memory_grow(0, pages); }
EXPORT("trap") void trap(const char *text) { (void)text; __builtin_trap(); }
EXPORT("negate") unsigned negate(unsigned number) { return -number; }
EXPORT("negate_long") unsigned long long negate_long(unsigned long long number) { return -number; }
EXPORT("half") double half(double number) { return number / 2; }
