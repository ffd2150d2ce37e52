//! With dlmalloc, in Rust.

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

include!("../program.rs");
