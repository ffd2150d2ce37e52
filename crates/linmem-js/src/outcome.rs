//! What comes out of a call: buffers, or the words of an error.

use std::ptr::slice_from_raw_parts_mut;

use linmem::Result;

use crate::host;

/// What came of a call. The host reads it as words of 32 bits, and gives it back with [`release`].
#[repr(C)]
pub struct Outcome {
    /// 0, or 1 if the only part is what went wrong.
    failed: u32,
    count: usize,
    parts: *mut Part,
}

/// Bytes of an outcome.
#[repr(C)]
pub struct Part {
    address: *mut u8,
    length: usize,
}

impl Outcome {
    /// Does the work.
    pub fn of(work: impl FnOnce() -> Result<Vec<Vec<u8>>>) -> *mut Outcome {
        host::tell_panics();
        let (failed, parts) = match work() {
            Ok(parts) => (0, parts),
            Err(error) => (1, vec![error.to_string().into_bytes()]),
        };
        let part = |bytes: Vec<u8>| {
            let length = bytes.len();
            let address = Box::into_raw(bytes.into_boxed_slice()).cast();
            Part { address, length }
        };
        let parts: Box<[Part]> = parts.into_iter().map(part).collect();
        let count = parts.len();
        let parts = Box::into_raw(parts).cast();
        Box::into_raw(Box::new(Outcome { failed, count, parts }))
    }
}

/// Gives an outcome back, with all that belongs to it.
///
/// # Safety
///
/// A call returned it, and it was not given back before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn release(outcome: *mut Outcome) {
    unsafe {
        let Outcome { count, parts, .. } = *Box::from_raw(outcome);
        for Part { address, length } in Box::from_raw(slice_from_raw_parts_mut(parts, count)) {
            drop(Box::from_raw(slice_from_raw_parts_mut(address, length)));
        }
    }
}
