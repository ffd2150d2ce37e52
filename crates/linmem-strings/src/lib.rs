//! Strings across the boundary between a Rust host and a WebAssembly module that exports its memory
//! and an allocator.
//!
//! ```
//! use linmem_strings::wasmtime::Strings;
//! use wasmtime::{Engine, Instance, Module, Store};
//!
//! # fn main() -> wasmtime::Result<()> {
//! # let wasm = include_bytes!("../../../examples/strings.wasm");
//! let mut store = Store::new(&Engine::default(), ());
//! let module = Module::new(store.engine(), wasm)?;
//! let instance = Instance::new(&mut store, &module, &[])?;
//! let count_as = instance.get_typed_func::<u32, u32>(&mut store, "count_as")?;
//! let upper = instance.get_typed_func::<u32, u32>(&mut store, "upper")?;
//!
//! let strings = Strings::new(&mut store, &instance)?;
//! // Lent for the call, then freed.
//! let count = strings.with(&mut store, "banana", |cx, text| count_as.call(cx, text))?;
//! assert_eq!(count, 3);
//! // The guest returns a string that the host owns: read it, and free it.
//! let copy = strings.with(&mut store, "banana", |cx, text| upper.call(cx, text))?;
//! assert_eq!(strings.take(&mut store, copy)?, "BANANA");
//! # Ok(())
//! # }
//! ```
//!
//! What can go wrong is an [`Error`] that says what, where and what to do: an allocator that returns
//! NULL, a NUL inside a text, a pointer out of range, a string without an end. In that case nothing
//! is written, and nothing stays allocated. After a trap the instance's heap may be in any state, so
//! nothing is freed, and no further call is made.
//!
//! | module | what is in it |
//! |---|---|
//! | [`wasmtime`] | the operations, for modules in wasmtime |
//! | [`memory`] | the one place where guest pointers are checked |
//! | [`text`] | text to bytes and back |
//! | [`allocator`] | which exports allocate |
#![deny(missing_docs)]

pub mod allocator;
mod error;
pub mod memory;
pub mod text;
#[cfg(feature = "wasmtime")]
pub mod wasmtime;

pub use error::{Error, ErrorKind, Result};

/// What to do with texts that C, or Rust, cannot hold, and how far to look for a string's end.
///
/// ```
/// use linmem_strings::{Invalid, Options};
/// let options = Options { invalid: Invalid::Fatal, ..Options::default() };
/// assert_eq!(options.scan_limit, 64 << 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// A NUL inside a text that is passed in.
    pub on_nul: OnNul,
    /// Bytes that are not UTF-8 in a string that is read.
    pub invalid: Invalid,
    /// The longest string, in bytes, that is read up to its NUL: a guest could otherwise make the
    /// host search 4 GiB.
    pub scan_limit: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { on_nul: OnNul::Error, invalid: Invalid::Replace, scan_limit: 64 << 20 }
    }
}

/// What to do with a NUL inside a text, where a C function would stop reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnNul {
    /// [`ErrorKind::EmbeddedNul`].
    Error,
    /// Pass what is before it.
    Truncate,
    /// Pass it all, for functions that take a length too.
    Allow,
}

/// What to do with bytes that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// U+FFFD for each maximal subpart, as browsers do (Unicode 3.9).
    Replace,
    /// [`ErrorKind::InvalidUtf8`].
    Fatal,
}
