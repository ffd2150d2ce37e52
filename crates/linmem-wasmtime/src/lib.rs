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
//! An embedder keeps its engine, linkers, stores and host functions. It takes the module to instantiate from
//! linmem, gives its linker the hooks of this module, and asks for reports when no code of it runs:
//!
//! ```
//! use linmem_wasmtime::{Recording, Watched};
//! use wasmtime::{Engine, Linker, Store};
//!
//! #[derive(Default)]
//! struct State {
//!     linmem: Recording,
//!     // and whatever else the host keeps for an instance
//! }
//!
//! # let wasm = wat::parse_str(
//! #     r#"(module
//! #          (memory (export "memory") 1)
//! #          (func $malloc (export "malloc") (param i32) (result i32) i32.const 4096)
//! #          (func (export "forget") i32.const 100 call $malloc drop))"#,
//! # ).unwrap();
//! let engine = Engine::default();
//! let watched = Watched::new(&engine, &wasm)?;
//! let mut linker = Linker::new(&engine);
//! watched.add_to_linker(&mut linker, |state: &mut State| &mut state.linmem)?;
//! let mut store = Store::new(&engine, State::default());
//! let instance = linker.instantiate(&mut store, watched.module())?;
//! instance.get_typed_func::<(), ()>(&mut store, "forget")?.call(&mut store, ())?;
//!
//! let report = Recording::report(&mut store, |state| &mut state.linmem)?;
//! assert_eq!(report.findings[0].message, "100 bytes in 1 block lost: nothing points to it any more");
//! # Ok::<(), wasmtime::Error>(())
//! ```
//!
//! Stacks lead as far as the engine's backtraces do: 20 frames, unless `Config::wasm_backtrace_max_frames`
//! says another number. A report tells how many were cut.
//!
//! - `run`: a module with what it is granted
//! - `session`: a running instance whose exports are called one by one
//! - `running`: instantiates, calls and ends a module, with everything recorded
//! - `compiled`: compiled code on disk, for the next run
//! - `watched`: a module whose instances are recorded, whoever makes them
//! - `recording`: what is recorded in one store, and the report on it
//! - `seen`: what is known of the instances in a store, and how the recorder looks at them
//! - `linker`: what a module may import
//! - `hooks`: the functions that instrumented code imports
//! - `limits`: how much memory and time a module gets
//! - `pipe`: from the recorder to the analysis, which runs beside the program
#![deny(missing_docs)]

mod compiled;
mod hooks;
mod limits;
mod linker;
mod pipe;
mod recording;
mod run;
mod running;
mod seen;
mod session;
mod sleep;
mod stop;
mod watched;

pub use linker::Stub;
pub use recording::Recording;
pub use run::{Exit, Observed, Outcome, Run};
pub use session::{Details, Session};
pub use stop::Stopper;
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
