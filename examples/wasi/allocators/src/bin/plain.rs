//! With the allocator of the target: in WASI that of libc.

include!("../program.rs");
