//! Two ways to leak in safe Rust.
//!
//! linmem reports: 2 definite leaks, 300 bytes: 100 from `leak_box` and 200
//! from `forget_vec`.

use std::hint::black_box;

/// A frame of its own in call stacks, as in the C examples.
#[inline(never)]
fn leak_box() {
    let leaked: &'static mut [u8; 100] = Box::leak(Box::new([1; 100]));
    black_box(leaked);
}

#[inline(never)]
fn forget_vec() {
    let vec: Vec<u8> = Vec::with_capacity(200);
    std::mem::forget(black_box(vec));
}

fn main() {
    leak_box();
    forget_vec();
}
