//! What a host calls: a buffer for what goes in, and functions whose result is a buffer with what comes
//! out. The first byte of a result is 0 for success and 1 for an error, whose message follows.

use linmem::export;
use linmem::{Mode, Prepared, Trace};

/// A buffer of so many bytes, which the host fills.
#[unsafe(no_mangle)]
pub extern "C" fn allocate(bytes: usize) -> *mut u8 {
    leak(vec![0; bytes]).cast()
}

/// Instruments a module.
///
/// # Safety
///
/// The buffer is one of [`allocate`], and is used up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn instrument(buffer: *mut u8, bytes: usize) -> u64 {
    let wasm = unsafe { take(buffer, bytes) };
    let prepared = Prepared::new(&wasm, &Vec::new(), None);
    give(prepared.and_then(|p| p.instrument(&Mode::default())).map(|i| i.wasm))
}

/// Analyses a trace: the report as JSON.
///
/// # Safety
///
/// As for [`instrument`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn analyze(buffer: *mut u8, bytes: usize) -> u64 {
    let trace = Trace::from_bytes(unsafe { take(buffer, bytes) });
    give(linmem::analyze(&trace).and_then(|report| {
        let mut out = Vec::new();
        export::json(&report, |_| None, &mut out)?;
        Ok(out)
    }))
}

unsafe fn take(buffer: *mut u8, bytes: usize) -> Vec<u8> {
    unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(buffer, bytes)) }.into_vec()
}

fn leak(bytes: Vec<u8>) -> *mut [u8] {
    Box::into_raw(bytes.into_boxed_slice())
}

/// Address and length of a result, in the two halves of a number.
fn give(result: linmem::Result<Vec<u8>>) -> u64 {
    let (tag, bytes) = match result {
        Ok(bytes) => (0, bytes),
        Err(error) => (1, error.to_string().into_bytes()),
    };
    let bytes = [&[tag], &bytes[..]].concat();
    let length = bytes.len() as u64;
    (leak(bytes).cast::<u8>() as u64) << 32 | length
}
