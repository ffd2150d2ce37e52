//! What WebAssembly memory is really doing.
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

pub use analyze::{Analysis, AnalysisOptions, RepeatsBuilder, analyze, analyze_stream};
pub use error::{Error, ErrorKind, Result};
pub use inspect::{Inspection, MemoryFunction, MemoryReport};
pub use instrument::Mode;
pub use module::Memory;
pub use module::memory_map::{AddressRange, MemoryMap, ShadowStack};
pub use module::symbolize::debug_file_name;
pub use prepared::Prepared;
pub use report::{Profile, Report};
pub use trace::Trace;

#[cfg(test)]
mod generated;
