// A library for a host that passes strings to it, with the allocator that such
// hosts look for. The host owns what `greet` returns; `greeter` stays here.
#include "linmem.h"

#include <string.h>

LINMEM_EXPORT_ALLOCATOR

static const char *const hello = "Hello";

// "Hello, NAME!", or NULL when memory is full.
char *WASM_EXPORT(greet)(const char *name) {
    char *greeting = malloc(strlen(hello) + strlen(name) + sizeof ", !");
    if (greeting == NULL) return NULL;
    strcpy(greeting, hello);
    strcat(greeting, ", ");
    strcat(greeting, name);
    return strcat(greeting, "!");
}

// How many bytes the text has.
size_t WASM_EXPORT(length)(const char *text) {
    return strlen(text);
}

const char *WASM_EXPORT(greeter)(void) {
    return hello;
}
