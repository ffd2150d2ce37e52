//! What can go wrong with a string.

use std::error::Error as StdError;
use std::fmt;

/// Why a string could not be passed.
///
/// ```
/// use linmem_strings::{ErrorKind, OnNul, text};
/// let error = text::encode("a\0b", OnNul::Error).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::EmbeddedNul { byte_index: 1 });
/// assert_eq!(error.kind().code(), "embedded-nul");
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

/// Boxed, so that results stay small.
#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of failure. Addresses, sizes and offsets are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The guest's allocator returned NULL.
    AllocationFailed {
        /// The size that it was asked for.
        size: u64,
    },
    /// The text has a NUL inside, where a C function would stop reading.
    EmbeddedNul {
        /// Where the NUL is.
        byte_index: usize,
    },
    /// The guest's bytes are not UTF-8.
    InvalidUtf8 {
        /// Where the string starts.
        address: u64,
        /// The first wrong byte, counted from there.
        offset: usize,
    },
    /// NULL where there must be a string.
    NullPointer,
    /// No NUL before the scan limit or the end of memory.
    Unterminated {
        /// Where the string starts.
        address: u64,
        /// How many bytes were looked at.
        scanned: u64,
    },
    /// A pointer, or pointer and length, that reach past the memory.
    OutOfRange {
        /// Where the range starts.
        address: u64,
        /// How long it is.
        byte_length: u64,
        /// The size of the memory.
        memory_bytes: u64,
    },
    /// The guest's allocator trapped, or the host ended it.
    AllocatorTrapped,
    /// The instance trapped earlier, so its heap may be in any state.
    Poisoned,
    /// The module does not export what is needed.
    MissingExport,
}

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

impl ErrorKind {
    /// A stable name, the same for every host.
    pub fn code(self) -> &'static str {
        match self {
            ErrorKind::AllocationFailed { .. } => "allocation-failed",
            ErrorKind::EmbeddedNul { .. } => "embedded-nul",
            ErrorKind::InvalidUtf8 { .. } => "invalid-utf8",
            ErrorKind::NullPointer => "null-pointer",
            ErrorKind::Unterminated { .. } => "unterminated",
            ErrorKind::OutOfRange { .. } => "out-of-range",
            ErrorKind::AllocatorTrapped => "allocator-trapped",
            ErrorKind::Poisoned => "poisoned",
            ErrorKind::MissingExport => "missing-export",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    #[cfg(feature = "wasmtime")]
    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}
