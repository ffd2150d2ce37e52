//! A module, read once: bytes in, the facts that every later stage needs out.
//!
//! The module is validated while it is read, so that later stages may rely on every index.
//! Function bodies are decoded here and never again: what matters of them (calls, references,
//! `memory.grow`, `memory.size`) is kept as [`Site`]s with their offsets in the file.

mod access;
pub(crate) mod body;
pub(crate) mod call_graph;
pub(crate) mod initial_memory;
pub(crate) mod memory_map;
mod parse;
mod statics;
#[cfg(test)]
pub(crate) mod steps;
pub(crate) mod symbolize;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use wasmparser::{ExternalKind, FuncType, TypeRef, ValType};

pub(crate) use access::Access;
pub(crate) use body::{Adjustment, Body, Site, SiteKind, code_ends};
pub(crate) use call_graph::CallGraph;
pub(crate) use statics::SegmentCopy;
pub(crate) use symbolize::Symbolizer;

/// Bytes in a page of linear memory.
pub const PAGE_BYTES: u64 = 65_536;

/// The facts of one core WebAssembly module.
#[derive(Debug, Clone)]
pub struct Module<'a> {
    /// The file itself.
    pub bytes: &'a [u8],
    /// Function types by type index; `None` where the type is not a function type.
    pub types: Vec<Option<FuncType>>,
    /// Imports, in order.
    pub imports: Vec<Import<'a>>,
    /// Functions by function index, imported ones first.
    pub functions: Vec<Function>,
    /// Memories by memory index, imported ones first.
    pub memories: Vec<Memory>,
    /// Globals by global index, imported ones first.
    pub globals: Vec<Global>,
    /// Whether a table can hold functions, by table index, imported ones first.
    pub function_tables: Vec<bool>,
    /// Exports, in order.
    pub exports: Vec<Export<'a>>,
    /// The start function's index.
    pub start: Option<u32>,
    /// Functions that something other than a direct call can reach: element segments,
    /// `ref.func`, and constant expressions. Sorted, without repetition.
    pub address_taken: Vec<u32>,
    /// Active data segments of memory 0 with a constant offset, and the others.
    pub data: Vec<DataSegment>,
    /// Passive data segments that code copies to a fixed place.
    pub copies: Vec<SegmentCopy>,
    /// What code adds to globals and subtracts from them.
    pub adjustments: BTreeSet<Adjustment>,
    /// Names from the name section.
    pub names: Names<'a>,
    /// `(field, value, version)` from the producers section.
    pub producers: Vec<(&'a str, &'a str, &'a str)>,
    /// Custom sections: name and contents.
    pub custom_sections: Vec<(&'a str, &'a [u8])>,
    /// Where the code section's contents lie in the file; DWARF offsets count from its start.
    pub code_section: Range<usize>,
    /// Where in `imports` the functions are.
    function_imports: Vec<usize>,
    /// The first export's name of each exported function.
    export_names: BTreeMap<u32, &'a str>,
}

/// Names that the module carries.
#[derive(Debug, Default, Clone)]
pub struct Names<'a> {
    /// The module's own name.
    pub module: Option<&'a str>,
    /// Function names by function index.
    pub functions: BTreeMap<u32, &'a str>,
    /// Global names by global index.
    pub globals: BTreeMap<u32, &'a str>,
}

/// One import.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    /// The module half of the import's name.
    pub module: &'a str,
    /// The field half of the import's name.
    pub name: &'a str,
    /// What is imported.
    pub ty: TypeRef,
}

/// One function of the function index space.
#[derive(Debug, Clone)]
pub struct Function {
    /// Index of its type.
    pub type_index: u32,
    /// Its body; `None` for an imported function.
    pub body: Option<Body>,
}

/// One memory of the memory index space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Whether it is imported.
    pub imported: bool,
    /// Whether addresses are 64 bits wide.
    pub is_64: bool,
    /// Whether threads share it.
    pub shared: bool,
    /// Pages at the start.
    pub initial_pages: u64,
    /// Declared maximum in pages.
    pub max_pages: Option<u64>,
    /// Bytes in one page (65,536, except with the custom-page-sizes proposal).
    pub page_bytes: u64,
}

/// One global of the global index space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Global {
    /// Whether it is imported.
    pub imported: bool,
    /// Whether the module may change it.
    pub mutable: bool,
    /// Its type.
    pub ty: ValType,
    /// Its initial value where that is one integer constant.
    pub init: Option<u64>,
}

/// One export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Export<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it exports.
    pub kind: ExternalKind,
    /// Index in the index space of `kind`.
    pub index: u32,
}

/// One data segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSegment {
    /// Address in memory 0, for an active segment with a constant offset.
    pub address: Option<u64>,
    /// Its length in bytes.
    pub len: u64,
    /// Its bytes in the file.
    pub range: Range<usize>,
}

impl<'a> Module<'a> {
    /// Number of imported functions; the first defined function has this index.
    pub fn imported_functions(&self) -> u32 {
        self.function_imports.len() as u32
    }

    /// Whether it has functions of its own.
    pub fn has_code(&self) -> bool {
        self.functions.len() > self.function_imports.len()
    }

    /// The type of a function.
    pub fn function_type(&self, function: u32) -> Option<&FuncType> {
        let type_index = self.functions.get(function as usize)?.type_index;
        self.types.get(type_index as usize)?.as_ref()
    }

    /// The functions that are exported, with the name of each export.
    pub fn exported_functions(&self) -> impl Iterator<Item = (&'a str, u32)> + '_ {
        self.exports
            .iter()
            .filter(|e| matches!(e.kind, ExternalKind::Func | ExternalKind::FuncExact))
            .map(|e| (e.name, e.index))
    }

    /// The name of the first export of a function.
    pub fn export_name(&self, function: u32) -> Option<&'a str> {
        self.export_names.get(&function).copied()
    }

    /// The best raw name of a function: from the name section, else of its export, else of its
    /// import.
    pub fn function_name(&self, function: u32) -> Option<&'a str> {
        let named = self.names.functions.get(&function);
        let name = named.copied().or_else(|| self.export_name(function));
        name.or_else(|| self.function_import(function).map(|import| import.name))
    }

    /// The import that an imported function comes from.
    pub fn function_import(&self, function: u32) -> Option<&Import<'a>> {
        self.imports.get(*self.function_imports.get(function as usize)?)
    }

    /// Whether a function is imported from WASI.
    pub fn is_of_wasi(&self, function: u32) -> bool {
        self.function_import(function).is_some_and(|import| import.module.starts_with("wasi_"))
    }

    /// The lowest address that a data segment fills, of those whose place is known.
    pub fn first_data_address(&self) -> Option<u64> {
        self.placed_data().filter(|(segment, _)| segment.len > 0).map(|(_, start)| start).min()
    }

    /// The data segments whose place is known, and where they begin: those that passive ones are copied to by code,
    /// and then the active ones.
    fn placed_data(&self) -> impl Iterator<Item = (&DataSegment, u64)> {
        let copied = self.copies.iter();
        let copied =
            copied.filter_map(|copy| Some((self.data.get(copy.segment as usize)?, copy.address)));
        copied.chain(self.data.iter().filter_map(|segment| Some((segment, segment.address?))))
    }

    /// How many bytes from address 0 on are free of static data, as far as writes through NULL are
    /// watched for. Compilers leave at least 1,024 bytes free below the first data segment.
    pub fn low_memory_bytes(&self) -> u64 {
        const MOST: u64 = 1024;
        self.first_data_address().map_or(MOST, |address| address.min(MOST))
    }

    /// The address after the last data segment whose place is known.
    pub fn data_end(&self) -> Option<u64> {
        self.placed_data().filter_map(|(segment, start)| start.checked_add(segment.len)).max()
    }

    /// The global that holds the shadow stack's pointer: the one so named, else the first
    /// mutable integer global that the module defines with a constant (where `wasm-ld` puts it).
    pub fn stack_pointer(&self) -> Option<u32> {
        let named = self.names.globals.iter().find(|(_, name)| **name == "__stack_pointer");
        let exported = self.exported_global("__stack_pointer");
        named.map(|(index, _)| *index).or(exported).or_else(|| {
            // Where globals have names, and none of them has this one, there is no such global.
            if !self.names.globals.is_empty() {
                return None;
            }
            let first = self.globals.iter().position(|g| !g.imported)?;
            let global = self.globals[first];
            let plausible = global.mutable
                && matches!(global.ty, ValType::I32 | ValType::I64)
                && global.init.is_some_and(|init| init >= 1024 && init.is_multiple_of(16));
            // The stacks of older compilers grow up, and lie elsewhere.
            let global = first as u32;
            let adjusts = |is_up| self.adjustments.contains(&Adjustment { global, is_up });
            let grows_up = adjusts(true) && !adjusts(false);
            (plausible && !self.memories.is_empty() && !grows_up).then_some(global)
        })
    }

    /// A constant global that is exported or named so, for example `__heap_base`.
    pub fn named_address(&self, name: &str) -> Option<u64> {
        let named = self.names.globals.iter().find(|(_, n)| **n == name).map(|(i, _)| *i);
        let index = self.exported_global(name).or(named)?;
        self.globals.get(index as usize)?.init
    }

    fn exported_global(&self, name: &str) -> Option<u32> {
        self.exports
            .iter()
            .find(|e| e.kind == ExternalKind::Global && e.name == name)
            .map(|e| e.index)
    }
}

impl Memory {
    fn new(ty: wasmparser::MemoryType, imported: bool) -> Memory {
        Memory {
            imported,
            is_64: ty.memory64,
            shared: ty.shared,
            initial_pages: ty.initial,
            max_pages: ty.maximum,
            page_bytes: 1 << ty.page_size_log2.unwrap_or(16),
        }
    }
}
