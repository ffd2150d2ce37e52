//! Which exports allocate: the names that real modules use.

/// Two exports that allocate and free. The first may take an alignment after the size. The second may
/// take the size, and the alignment, after the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// `(size)` or `(size, alignment)` to pointer.
    pub malloc: &'static str,
    /// `(pointer)`, `(pointer, size)` or `(pointer, size, alignment)`.
    pub free: &'static str,
}

/// The families that are looked for, in this order.
pub const FAMILIES: &[Family] = &[
    Family { malloc: "malloc", free: "free" },
    Family { malloc: "allocate", free: "deallocate" },
    Family { malloc: "alloc", free: "dealloc" },
    Family { malloc: "__wbindgen_malloc", free: "__wbindgen_free" },
    Family { malloc: "_malloc", free: "_free" },
];

/// The component model's allocator, which is looked for last: (old pointer, old size, alignment,
/// new size) to pointer.
pub const CABI_REALLOC: &str = "cabi_realloc";

/// All names, for messages.
pub fn names() -> String {
    let families = FAMILIES.iter().map(|family| format!("{}/{}", family.malloc, family.free));
    families.chain([CABI_REALLOC.to_owned()]).collect::<Vec<_>>().join(", ")
}
