//! What WebAssembly memory is really doing.
#![deny(missing_docs)]

pub mod allocator;
pub mod analyze;
pub mod call_graph;
mod error;
pub mod event;
pub mod heap;
pub mod host;
pub mod inspect;
pub mod instrument;
pub mod layout;
pub mod module;
pub mod replay;
pub mod report;
pub mod symbolize;
pub mod trace;

pub use allocator::Allocator;
pub use analyze::analyze;
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "wasmtime")]
pub use host::wasmtime;
pub use module::Module;
pub use report::Report;
pub use trace::Trace;

/// The README's Rust code is compiled with the other examples.
#[cfg(all(doctest, feature = "wasmtime"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
