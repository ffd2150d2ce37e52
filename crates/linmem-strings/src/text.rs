//! Text to the bytes that a C function reads, and back.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};
use crate::{Invalid, OnNul};

/// The part of a text that is passed.
///
/// # Errors
///
/// [`ErrorKind::EmbeddedNul`], with [`OnNul::Error`].
#[inline]
pub fn encode(text: &str, on_nul: OnNul) -> Result<&str> {
    if on_nul == OnNul::Allow {
        return Ok(text);
    }
    match memchr::memchr(0, text.as_bytes()) {
        None => Ok(text),
        // A NUL is a character of its own, so it is a boundary.
        Some(nul) if on_nul == OnNul::Truncate => Ok(&text[..nul]),
        Some(byte_index) => Err(embedded_nul(byte_index)),
    }
}

#[cold]
fn embedded_nul(byte_index: usize) -> Error {
    Error::new(
        ErrorKind::EmbeddedNul { byte_index },
        format!(
            "the text has a NUL at byte {byte_index}, where a C function would stop reading: \
             remove it, or choose OnNul::Truncate or OnNul::Allow"
        ),
    )
}

/// The text that bytes from `address` mean. A byte order mark is a character like any other.
///
/// # Errors
///
/// [`ErrorKind::InvalidUtf8`], with [`Invalid::Fatal`].
#[inline]
pub fn decode(bytes: &[u8], address: u64, invalid: Invalid) -> Result<Cow<'_, str>> {
    match invalid {
        Invalid::Replace => Ok(String::from_utf8_lossy(bytes)),
        Invalid::Fatal => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(error) => Err(invalid_utf8(address, error.valid_up_to())),
        },
    }
}

#[cold]
fn invalid_utf8(address: u64, offset: usize) -> Error {
    Error::new(
        ErrorKind::InvalidUtf8 { address, offset },
        format!(
            "the string at {address:#x} is not UTF-8: byte {offset} is wrong. Choose \
             Invalid::Replace to read it with U+FFFD"
        ),
    )
}
