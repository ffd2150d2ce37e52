//! What a recorder outside of this library has to know of an instrumented module, as JSON.
//! `docs/trace-format.md` describes the fields.

use serde::Serialize;

use super::{Instrumented, Origin};
use crate::allocator::Allocator;
use crate::error::{Error, ErrorKind, Result};
use crate::event;
use crate::host::low_memory_bytes;
use crate::module::Module;

/// The format's version.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct RecorderMap<'a> {
    version: u32,
    allocator: &'a Allocator,
    functions: Vec<FunctionOrigin>,
    offsets: Vec<usize>,
    globals: Vec<u32>,
    low_memory: u64,
    initial_pages: u64,
    max_pages: Option<u64>,
    memory_import: Option<[&'a str; 2]>,
}

/// As [`Origin`]: a number, a number in a list, or nothing.
#[derive(Serialize)]
#[serde(untagged)]
enum FunctionOrigin {
    Function(u32),
    Wrapper([u32; 1]),
    Added(()),
}

impl Instrumented {
    /// What a recorder has to know, as JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] when the module has no memory.
    pub fn recorder_map(&self, module: &Module<'_>, allocator: &Allocator) -> Result<Vec<u8>> {
        let memory = module.memories.first().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "the module has no memory, so nothing is recorded")
        })?;
        let memory_import = module
            .imports
            .iter()
            .find(|import| matches!(import.ty, wasmparser::TypeRef::Memory(_)))
            .map(|import| [import.module, import.name]);
        let map = RecorderMap {
            version: VERSION,
            allocator,
            functions: self.map.origins().iter().map(|&origin| origin.into()).collect(),
            offsets: self.map.points().iter().flat_map(|&(new, old)| [new, old]).collect(),
            globals: event::exported_globals(module).collect(),
            low_memory: low_memory_bytes(module),
            initial_pages: memory.initial_pages,
            max_pages: memory.max_pages,
            memory_import,
        };
        serde_json::to_vec(&map)
            .map_err(|error| Error::new(ErrorKind::Unsupported, format!("cannot write: {error}")))
    }
}

impl From<Origin> for FunctionOrigin {
    fn from(origin: Origin) -> FunctionOrigin {
        match origin {
            Origin::Function(function) => FunctionOrigin::Function(function),
            Origin::Wrapper(function) => FunctionOrigin::Wrapper([function]),
            Origin::Added => FunctionOrigin::Added(()),
        }
    }
}
