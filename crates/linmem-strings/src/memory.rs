//! A guest's memory as a host may touch it: every pointer and length that comes from a guest passes
//! [`range`], and nothing else computes ranges.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};

/// The range of `byte_length` bytes from `address`, if it lies in a memory of so many bytes.
///
/// # Errors
///
/// [`ErrorKind::OutOfRange`].
///
/// ```
/// use linmem_strings::memory::range;
/// assert_eq!(range(65_536, 65_530, 6)?, 65_530..65_536);
/// assert!(range(65_536, 65_530, 7).is_err());
/// assert!(range(65_536, u64::MAX, 2).is_err());
/// # Ok::<(), linmem_strings::Error>(())
/// ```
#[inline]
pub fn range(memory_bytes: usize, address: u64, byte_length: u64) -> Result<Range<usize>> {
    let end = address.checked_add(byte_length).filter(|end| *end <= memory_bytes as u64);
    match end {
        // Neither is larger than `memory_bytes`, which is a `usize`.
        Some(end) => Ok(address as usize..end as usize),
        None => Err(out_of_range(memory_bytes, address, byte_length)),
    }
}

#[cold]
fn out_of_range(memory_bytes: usize, address: u64, byte_length: u64) -> Error {
    let memory_bytes = memory_bytes as u64;
    Error::new(
        ErrorKind::OutOfRange { address, byte_length, memory_bytes },
        format!(
            "{byte_length} bytes at {address:#x} reach past the end of memory at \
             {memory_bytes:#x}: check the pointer and the length"
        ),
    )
}

/// The string at `address` up to its NUL, without it.
///
/// # Errors
///
/// [`ErrorKind::NullPointer`], [`ErrorKind::OutOfRange`], and [`ErrorKind::Unterminated`] when there
/// is no NUL within `scan_limit` bytes and one more.
#[inline]
pub fn c_string(memory: &[u8], address: u64, scan_limit: u64) -> Result<&[u8]> {
    not_null(address)?;
    let start = range(memory.len(), address, 1)?.start;
    let rest = &memory[start..];
    let scanned = rest
        .len()
        .min(usize::try_from(scan_limit).map_or(usize::MAX, |limit| limit.saturating_add(1)));
    match memchr::memchr(0, &rest[..scanned]) {
        Some(length) => Ok(&rest[..length]),
        None => Err(unterminated(address, scanned as u64, scan_limit)),
    }
}

#[cold]
fn unterminated(address: u64, scanned: u64, scan_limit: u64) -> Error {
    let why = if scanned > scan_limit { "the scan limit" } else { "the end of memory" };
    Error::new(
        ErrorKind::Unterminated { address, scanned },
        format!(
            "no NUL ends the string at {address:#x} within {scanned} bytes, where {why} is: check \
             the pointer, or read it with its length"
        ),
    )
}

/// The string of `byte_length` bytes at `address`; NULL may stand for the empty one.
///
/// # Errors
///
/// [`ErrorKind::NullPointer`], [`ErrorKind::OutOfRange`].
#[inline]
pub fn sized_string(memory: &[u8], address: u64, byte_length: u64) -> Result<&[u8]> {
    if byte_length > 0 {
        not_null(address)?;
    }
    Ok(&memory[range(memory.len(), address, byte_length)?])
}

/// Writes a text and a NUL behind it.
///
/// # Errors
///
/// [`ErrorKind::OutOfRange`]; in that case nothing is written.
#[inline]
pub fn write_c_string(memory: &mut [u8], address: u64, text: &str) -> Result<()> {
    let range = range(memory.len(), address, text.len() as u64 + 1)?;
    let (bytes, nul) = memory[range].split_at_mut(text.len());
    bytes.copy_from_slice(text.as_bytes());
    nul[0] = 0;
    Ok(())
}

/// Writes a text as it is.
///
/// # Errors
///
/// [`ErrorKind::OutOfRange`]; in that case nothing is written.
#[inline]
pub fn write_sized(memory: &mut [u8], address: u64, text: &str) -> Result<()> {
    let range = range(memory.len(), address, text.len() as u64)?;
    memory[range].copy_from_slice(text.as_bytes());
    Ok(())
}

#[inline]
fn not_null(address: u64) -> Result<()> {
    if address != 0 {
        return Ok(());
    }
    Err(null_pointer())
}

#[cold]
fn null_pointer() -> Error {
    let message = "the pointer is NULL: check it first, or read it as optional where there may be \
                   no string";
    Error::new(ErrorKind::NullPointer, message)
}
