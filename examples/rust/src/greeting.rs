//! A library for a host that passes strings to it, with the allocator that such hosts look for. Like
//! Rust's own, it is told the size of a block when it is freed.

use std::alloc::Layout;
use std::ffi::{c_char, CStr, CString};

/// The layout of a text of so many bytes.
fn text(size: usize) -> Layout {
    Layout::array::<u8>(size).expect("no memory has room for more")
}

/// A block for a text, NUL included; NULL when memory is full.
#[no_mangle]
pub extern "C" fn alloc(size: usize) -> *mut u8 {
    if size == 0 {
        return std::ptr::null_mut();
    }
    // SAFETY: the size is not zero.
    unsafe { std::alloc::alloc(text(size)) }
}

/// Gives a block back.
///
/// # Safety
///
/// It came from `alloc`, or `greet`, and has this size.
#[no_mangle]
pub unsafe extern "C" fn dealloc(block: *mut u8, size: usize) {
    std::alloc::dealloc(block, text(size));
}

/// "Hello, NAME!", which the host owns.
///
/// # Safety
///
/// `name` is a C string.
#[no_mangle]
pub unsafe extern "C" fn greet(name: *const c_char) -> *mut c_char {
    let name = CStr::from_ptr(name).to_string_lossy();
    // The block is exactly as long as the text with its NUL, which is what the host gives back.
    CString::new(format!("Hello, {name}!")).expect("a C string has no NUL inside").into_raw()
}

/// How many bytes the text has.
///
/// # Safety
///
/// `text` is a C string.
#[no_mangle]
pub unsafe extern "C" fn length(text: *const c_char) -> usize {
    CStr::from_ptr(text).count_bytes()
}
