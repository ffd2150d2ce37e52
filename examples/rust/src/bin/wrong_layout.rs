//! Deallocates with another layout than it allocated with, which is undefined
//! behaviour, though wasi-libc's allocator does not mind.
//!
//! linmem reports: 2 deallocations with a wrong layout, of a block of 100 bytes
//! as 60 bytes, and of a block aligned to 16 as one aligned to 4. No leaks.

use std::alloc::{alloc, dealloc, Layout};
use std::hint::black_box;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a valid layout")
}

#[inline(never)]
fn wrong_size() {
    unsafe {
        let block = black_box(alloc(layout(100, 8)));
        dealloc(block, layout(60, 8));
    }
}

#[inline(never)]
fn wrong_alignment() {
    unsafe {
        let block = black_box(alloc(layout(64, 16)));
        dealloc(block, layout(64, 4));
    }
}

fn main() {
    wrong_size();
    wrong_alignment();
}
