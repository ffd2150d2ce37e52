//! The names that allocator functions go by.

use super::Role;

/// One family of names, and how far a name alone is to be trusted.
pub(super) struct Family {
    pub(super) names: &'static [(&'static str, Role)],
    /// The names are common words or thin wrappers: they count only as exports, and only when
    /// no function of a `core` family lies beneath them.
    pub(super) generic: bool,
}

/// Every name that is known. A new allocator family is a few lines here.
pub(super) const FAMILIES: &[Family] = &[
    // The C library, and dlmalloc, emmalloc and Emscripten under their own names.
    Family {
        names: &[
            ("malloc", Role::Malloc),
            ("calloc", Role::Calloc),
            ("realloc", Role::Realloc),
            ("reallocarray", Role::ReallocArray),
            ("free", Role::Free),
            ("aligned_alloc", Role::AlignedAlloc),
            ("memalign", Role::AlignedAlloc),
            ("posix_memalign", Role::PosixMemalign),
            ("valloc", Role::Malloc),
            ("pvalloc", Role::Malloc),
            ("dlmalloc", Role::Malloc),
            ("dlcalloc", Role::Calloc),
            ("dlrealloc", Role::Realloc),
            ("dlfree", Role::Free),
            ("dlmemalign", Role::AlignedAlloc),
            ("dlposix_memalign", Role::PosixMemalign),
            ("emmalloc_malloc", Role::Malloc),
            ("emmalloc_calloc", Role::Calloc),
            ("emmalloc_realloc", Role::Realloc),
            ("emmalloc_free", Role::Free),
            ("emmalloc_memalign", Role::AlignedAlloc),
            // Where all calls ask for the same alignment, the compiler drops it.
            ("emmalloc_memalign", Role::Malloc),
            ("emscripten_builtin_malloc", Role::Malloc),
            ("emscripten_builtin_calloc", Role::Calloc),
            ("emscripten_builtin_realloc", Role::Realloc),
            ("emscripten_builtin_free", Role::Free),
            ("emscripten_builtin_memalign", Role::AlignedAlloc),
            ("__libc_malloc", Role::Malloc),
            ("__libc_calloc", Role::Calloc),
            ("__libc_free", Role::Free),
        ],
        generic: false,
    },
    // mimalloc and jemalloc. What takes flags, or an alignment to free, has no role.
    Family {
        names: &[
            ("mi_malloc", Role::Malloc),
            ("mi_malloc_small", Role::Malloc),
            ("mi_zalloc", Role::Malloc),
            ("mi_zalloc_small", Role::Malloc),
            ("mi_calloc", Role::Calloc),
            ("mi_mallocn", Role::Calloc),
            ("mi_realloc", Role::Realloc),
            ("mi_reallocn", Role::ReallocArray),
            ("mi_reallocarray", Role::ReallocArray),
            ("mi_free", Role::Free),
            ("mi_free_size", Role::SizedFree),
            ("mi_free_size_aligned", Role::RustDealloc),
            ("mi_malloc_aligned", Role::RustAlloc),
            ("mi_zalloc_aligned", Role::RustAlloc),
            ("mi_aligned_alloc", Role::AlignedAlloc),
            ("mi_memalign", Role::AlignedAlloc),
            ("mi_posix_memalign", Role::PosixMemalign),
            ("je_malloc", Role::Malloc),
            ("je_calloc", Role::Calloc),
            ("je_realloc", Role::Realloc),
            ("je_free", Role::Free),
            ("je_aligned_alloc", Role::AlignedAlloc),
            ("je_memalign", Role::AlignedAlloc),
            ("je_posix_memalign", Role::PosixMemalign),
        ],
        generic: false,
    },
    // Rust's global allocator; mangled names are demangled first. `__rust_*` calls `__rdl_*`, the default, or
    // `__rg_*`, the program's own, and these call the methods. The compiler puts one into another.
    Family {
        names: &[
            ("__rust_alloc", Role::RustAlloc),
            ("__rust_alloc_zeroed", Role::RustAlloc),
            ("__rust_dealloc", Role::RustDealloc),
            ("__rust_realloc", Role::RustRealloc),
            ("__rdl_alloc", Role::RustAlloc),
            ("__rdl_alloc_zeroed", Role::RustAlloc),
            ("__rdl_dealloc", Role::RustDealloc),
            ("__rdl_realloc", Role::RustRealloc),
            ("__rg_alloc", Role::RustAlloc),
            ("__rg_alloc_zeroed", Role::RustAlloc),
            ("__rg_dealloc", Role::RustDealloc),
            ("__rg_realloc", Role::RustRealloc),
            ("GlobalAlloc::alloc", Role::GlobalAlloc),
            ("GlobalAlloc::alloc_zeroed", Role::GlobalAlloc),
            ("GlobalAlloc::dealloc", Role::GlobalDealloc),
            ("GlobalAlloc::realloc", Role::GlobalRealloc),
        ],
        generic: false,
    },
    // The crate dlmalloc: its inner type, which std has too. The outer one calls it. Where a program has only one, link-time
    // optimisation leaves out which.
    Family {
        names: &[
            ("Dlmalloc::malloc", Role::MethodMalloc),
            ("Dlmalloc::malloc", Role::Malloc),
            ("Dlmalloc::memalign", Role::GlobalAlloc),
            ("Dlmalloc::memalign", Role::AlignedAlloc),
            ("Dlmalloc::realloc", Role::MethodRealloc),
            ("Dlmalloc::realloc", Role::Realloc),
            ("Dlmalloc::free", Role::MethodFree),
            ("Dlmalloc::free", Role::Free),
        ],
        generic: false,
    },
    // AssemblyScript's runtimes.
    Family {
        names: &[
            ("~lib/rt/tlsf/__alloc", Role::Malloc),
            ("~lib/rt/tlsf/__realloc", Role::Realloc),
            ("~lib/rt/tlsf/__free", Role::Free),
            ("~lib/rt/stub/__alloc", Role::Malloc),
            ("~lib/rt/stub/__realloc", Role::Realloc),
            ("~lib/rt/stub/__free", Role::Free),
        ],
        generic: false,
    },
    // Names under which a module hands its allocator to the host.
    Family {
        names: &[
            ("cabi_realloc", Role::CabiRealloc),
            ("canonical_abi_realloc", Role::CabiRealloc),
            ("__wbindgen_malloc", Role::RustAlloc),
            ("__wbindgen_malloc", Role::Malloc),
            ("__wbindgen_realloc", Role::WbindgenRealloc),
            ("__wbindgen_free", Role::RustDealloc),
            ("__wbindgen_free", Role::SizedFree),
            ("allocate", Role::Malloc),
            ("allocate", Role::RustAlloc),
            ("deallocate", Role::Free),
            ("deallocate", Role::SizedFree),
            ("deallocate", Role::RustDealloc),
            ("reallocate", Role::Realloc),
            ("alloc", Role::Malloc),
            ("alloc", Role::RustAlloc),
            ("dealloc", Role::Free),
            ("dealloc", Role::SizedFree),
            ("dealloc", Role::RustDealloc),
            ("_malloc", Role::Malloc),
            ("_free", Role::Free),
        ],
        generic: true,
    },
];
