//! Memory for the host: blocks that know their sizes, as C's have.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr;

/// What stands before each block: its size. Blocks are aligned to as much.
const HEADER: usize = 16;

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.checked_add(HEADER)?, HEADER).ok()
}

/// A block of so many bytes; NULL if there is no memory for it.
#[unsafe(no_mangle)]
pub extern "C" fn malloc(bytes: usize) -> *mut u8 {
    let Some(layout) = layout(bytes) else { return ptr::null_mut() };
    unsafe {
        let start = alloc(layout);
        if start.is_null() {
            return start;
        }
        start.cast::<usize>().write(bytes);
        start.add(HEADER)
    }
}

/// Gives a block back; NULL is none.
///
/// # Safety
///
/// It is one of [`malloc`], and was not given back before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(block: *mut u8) {
    if block.is_null() {
        return;
    }
    unsafe {
        let start = block.sub(HEADER);
        let bytes = start.cast::<usize>().read();
        dealloc(start, Layout::from_size_align_unchecked(bytes + HEADER, HEADER));
    }
}
