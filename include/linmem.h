// For C and C++ modules whose host passes strings to them: exports under the
// names that linmem's libraries, and others, look for.
//
//     #include "linmem.h"
//
//     LINMEM_EXPORT_ALLOCATOR                    // once in the module
//
//     size_t WASM_EXPORT(count_as)(const char *text) { ... }
//
// Link as a library: -mexec-model=reactor, or -nostartfiles -Wl,--no-entry.
#ifndef LINMEM_H
#define LINMEM_H

#include <stdlib.h>

#ifdef __cplusplus
#define LINMEM_EXPORTED(name) extern "C" __attribute__((export_name(name)))
#else
#define LINMEM_EXPORTED(name) __attribute__((export_name(name)))
#endif

// A function under the same name for the host as in C. In C++ it has to be
// declared extern "C".
#define WASM_EXPORT(name) __attribute__((export_name(#name))) name

// The C library's malloc, free and realloc, for the host. What the host got
// from malloc it gives back with free, and so can the module, and the other way
// round.
#define LINMEM_EXPORT_ALLOCATOR                                                     \
    LINMEM_EXPORTED("malloc") void *linmem_malloc(size_t size) {                    \
        return malloc(size);                                                        \
    }                                                                               \
    LINMEM_EXPORTED("free") void linmem_free(void *block) {                         \
        free(block);                                                                \
    }                                                                               \
    LINMEM_EXPORTED("realloc") void *linmem_realloc(void *block, size_t size) {     \
        return realloc(block, size);                                                \
    }

#endif
