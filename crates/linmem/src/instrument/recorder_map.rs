//! What a recorder outside of this library has to know of an instrumented module, as JSON.
//! `docs/trace-format.md` describes the fields.

use std::collections::BTreeMap;

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
    tables: Vec<u32>,
    stand_ins: Vec<u32>,
    sizes: BTreeMap<u32, SizeUnit>,
    low_memory: u64,
    initial_pages: u64,
    max_pages: Option<u64>,
    memory_import: Option<[&'a str; 2]>,
}

/// What the result of a function counts that executes `memory.size` and nothing else.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum SizeUnit {
    Pages,
    Bytes,
}

/// As [`Origin`]: a number, a number in a list, or nothing.
#[derive(Serialize)]
#[serde(untagged)]
enum FunctionOrigin {
    Function(u32),
    Wrapper([u32; 1]),
    Added(()),
}

/// The exported functions that only tell the size of memory 0, as in
/// `return __builtin_wasm_memory_size(0)`.
fn size_functions(module: &Module<'_>) -> BTreeMap<u32, SizeUnit> {
    const MEMORY_SIZE: [u8; 2] = [0x3f, 0x00];
    /// `i32.const 16  i32.shl`, and `i32.const 65536  i32.mul`.
    const TO_BYTES: [&[u8]; 2] = [&[0x41, 0x10, 0x74], &[0x41, 0x80, 0x80, 0x04, 0x6c]];
    const ENDS: [&[u8]; 2] = [&[0x0f, 0x0b], &[0x0b]];
    let unit = |function: u32| {
        let body = module.functions.get(function as usize)?.body.as_ref()?;
        let code = module.bytes.get(body.code_start..body.range.end)?;
        let code = ENDS.iter().find_map(|end| code.strip_suffix(*end))?;
        match code.strip_prefix(&MEMORY_SIZE)? {
            [] => Some(SizeUnit::Pages),
            rest => TO_BYTES.contains(&rest).then_some(SizeUnit::Bytes),
        }
    };
    let functions = module.exported_functions().map(|(_, function)| function);
    functions.filter_map(|function| Some((function, unit(function)?))).collect()
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
            tables: event::exported_tables(module).collect(),
            stand_ins: event::exported_functions(module).collect(),
            sizes: size_functions(module),
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
