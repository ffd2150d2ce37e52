//! What WebAssembly memory is really doing: what leaked, grew, failed or was misused in a module that is
//! run unmodified, with source lines.
//!
//! This library names no engine. A module is [`Prepared`] and instrumented; a host runs the result and
//! passes the calls of its [hooks](record::Hook) to a [`Recorder`](record::Recorder); an [`Analysis`] reads
//! the [`Trace`] while it is written, and makes a [`Report`] of it:
//!
//! ```
//! use linmem::record::{Backtrace, Guest, Hook, Recorder};
//! use linmem::trace::{Buffer, Frame};
//! use linmem::{Analysis, Mode, Prepared};
//!
//! let wasm = wat::parse_str(
//!     r#"(module
//!          (memory (export "memory") 1)
//!          (func $malloc (export "malloc") (param i32) (result i32) i32.const 4096)
//!          (func $forget (export "forget") (drop (call $malloc (i32.const 100)))))"#,
//! ).unwrap();
//! let prepared = Prepared::new(&wasm, &Vec::new(), None)?;
//! let instrumented = prepared.instrument(&Mode::default())?;
//! assert!(instrumented.wasm.len() > wasm.len());
//!
//! // A host runs `instrumented.wasm`. This one is written down by hand: `forget` is called, which asks
//! // for 100 bytes and gets them at address 4096.
//! struct Instance([u8; 65_536]);
//! impl Guest for Instance {
//!     fn backtrace(&mut self) -> Backtrace {
//!         let frames = [0, 1].map(|function| Frame::Wasm { function, offset: None });
//!         Backtrace::new(frames.to_vec(), None)
//!     }
//!     fn memory(&mut self) -> &[u8] {
//!         &self.0
//!     }
//!     fn global(&mut self, _index: u32) -> Option<u64> {
//!         None
//!     }
//! }
//! let recording = Buffer::default();
//! let mut recorder = Recorder::new(recording.clone(), || 0);
//! let module = recorder.module(&prepared, "forget.wasm")?;
//! let memory = recorder.memory(1, None, 65_536);
//! let number = recorder.instance(module, memory);
//! let mut instance = Instance([0; 65_536]);
//! recorder.completed(number, &mut instance);
//! recorder.hook(number, Hook::Entered, &[1, 0, 0, 0, 0, 0, 0, 0], &mut instance);
//! recorder.hook(number, Hook::Allocated, &[4096, 100, 0, 7, 7], &mut instance);
//! recorder.snapshot(number, &mut instance, false);
//! recorder.exited(0);
//! recorder.finish()?;
//!
//! let mut analysis = Analysis::default();
//! analysis.push(&recording.take())?;
//! let report = analysis.finish().report_on(&prepared)?;
//! let leak = report.leaks()[0];
//! assert_eq!(leak.message, "100 bytes in 1 block lost: nothing points to it any more");
//! assert_eq!(leak.stacks[0].stack[1].function, "forget");
//! # Ok::<(), linmem::Error>(())
//! ```
//!
//! Hosts that exist: the crate `linmem-wasmtime` runs modules in Rust tests, and the npm package `linmem`
//! watches the modules of a Node program. The pipeline, which is also the order of dependencies:
//!
//! ```text
//!  .wasm ──▶ Prepared ──▶ instrument ──▶ .wasm' ──▶ a host ──▶ record ──▶ trace
//!                                                                           │
//!                                      export ◀── report ◀── Analysis ◀─────┘
//! ```
#![deny(missing_docs)]

pub mod allocator;
mod analyze;
mod error;
pub mod export;
mod inspect;
pub mod instrument;
mod language;
#[cfg(test)]
mod layers;
pub(crate) mod module;
mod prepared;
pub mod record;
pub(crate) mod replay;
pub mod report;
pub mod trace;
pub mod units;

pub use analyze::{
    Analysis, AnalysisOptions, MergedAnalysis, Recordings, RepeatsBuilder, analyze, analyze_stream,
};
pub use error::{Error, ErrorKind, Result};
pub use inspect::{Inspection, MemoryFunction, MemoryInspection};
pub use instrument::Mode;
pub use module::Memory;
pub use module::memory_map::{AddressRange, MemoryMap, ShadowStack};
pub use module::symbolize::debug_file_name;
pub use prepared::Prepared;
pub use report::{Profile, Report};
pub use trace::Trace;

#[cfg(test)]
mod generated;
