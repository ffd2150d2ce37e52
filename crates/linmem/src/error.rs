//! The one error type of the library: why the job could not be done.
//!
//! What is wrong with a *guest* is never an `Error`; that is a [`Finding`](crate::report::Finding).

use std::fmt;

/// Why linmem could not do its job.
///
/// The message names the place (a byte offset, an import, a name) and the reason; the caller
/// that opened the file adds its name.
///
/// ```
/// let error = linmem::Prepared::new(b"not wasm", &Vec::new(), None).err().unwrap();
/// assert_eq!(error.kind(), linmem::ErrorKind::InvalidModule);
/// ```
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The kinds of [`Error`], for callers that act on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not a valid WebAssembly module.
    InvalidModule,
    /// A valid module that linmem cannot handle, for example a component.
    Unsupported,
    /// The caller asked for something that this module does not have.
    InvalidRequest,
    /// The module imports what nobody provides.
    MissingImports,
    /// The bytes are not a trace, or the trace is damaged.
    InvalidTrace,
    /// The engine refused the module or could not start it.
    Engine,
    /// The trace could not be written or read.
    Io,
}

impl Error {
    /// An error of this kind. The message is one line: the place, the reason, and what to do about it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into() }
    }

    /// The bytes are not a valid module.
    pub(crate) fn invalid_module(error: wasmparser::BinaryReaderError) -> Error {
        Error::new(
            ErrorKind::InvalidModule,
            format!("invalid WebAssembly at offset {:#x}: {}", error.offset(), error.message()),
        )
    }

    /// The same about something that has this name: a file, a recording.
    #[must_use]
    pub fn about(self, name: &str) -> Error {
        Error { message: format!("{name}: {}", self.message), ..self }
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::new(ErrorKind::Io, error.to_string())
    }
}

/// `Result` with linmem's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
