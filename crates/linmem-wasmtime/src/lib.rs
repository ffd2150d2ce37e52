//! Runs WebAssembly modules in an embedded wasmtime, under linmem's observation.
//!
//! A program is run to its end:
//!
//! ```
//! let wasm = wat::parse_str(
//!     r#"(module
//!          (memory (export "memory") 1)
//!          (func $malloc (export "malloc") (param i32) (result i32) i32.const 4096)
//!          (func (export "_start") i32.const 100 call $malloc drop))"#,
//! ).unwrap();
//! let observed = linmem_wasmtime::Run::new(&wasm)?.args(["--fast"]).observe(|_| {})?;
//! assert_eq!(observed.report.totals.allocated_bytes, 100);
//! # Ok::<(), linmem::Error>(())
//! ```
//!
//! A library's exports are called one by one, and its heap is looked at in between: [`Session`].
//!
//! - `run`: a module with what it is granted
//! - `session`: a running instance whose exports are called one by one
//! - `running`: instantiates, calls and ends a module, with everything recorded
//! - `linker`: what a module may import
//! - `hooks`: the functions that instrumented code imports
//! - `limits`: how much memory and time a module gets
//! - `pipe`: from the recorder to the analysis, which runs beside the program
#![deny(missing_docs)]

mod hooks;
mod limits;
mod linker;
mod pipe;
mod recording;
mod run;
mod running;
mod seen;
mod session;
mod watched;

pub use recording::Recording;
pub use run::{Exit, Observed, Outcome, Run};
pub use session::{Details, Session};
/// wasmtime's types of values, functions and stores, in the version that this crate is built with.
pub use wasmtime::{AsContext, AsContextMut, FuncType, Instance, Val, ValType};
pub use watched::Watched;

use linmem::{Error, ErrorKind};

/// The README's Rust code is compiled with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The engine refused something.
fn refused(error: wasmtime::Error) -> Error {
    Error::new(ErrorKind::Engine, format!("wasmtime: {error:#}"))
}
