//! What a recorder in another language has to know of an instrumented module, as JSON.
//! `docs/trace-format.md` describes the fields.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Instrumented, Origin, hooks};
use crate::allocator::Allocator;
use crate::error::{Error, ErrorKind, Result};
use crate::language;
use crate::module::{Module, SiteKind};
use crate::prepared::Prepared;

/// The format's version.
pub(crate) const VERSION: u32 = 2;

#[derive(Serialize)]
struct RecorderMap<'a> {
    version: u32,
    name: Option<&'a str>,
    imports: usize,
    exports: Vec<(&'a str, u32)>,
    allocator: &'a Allocator,
    functions: Vec<FunctionOrigin>,
    offsets: String,
    steps: String,
    recursive: String,
    globals: Vec<u32>,
    tables: Vec<u32>,
    entries: Vec<u32>,
    constructors: Vec<u32>,
    makes_objects: bool,
    sizes: BTreeMap<u32, SizeUnit>,
    low_memory: u64,
    stack_pointer: Option<u32>,
    initial_pages: u64,
    max_pages: Option<u64>,
    is_shared: bool,
    memory_import: Option<[&'a str; 2]>,
    checked: Option<bool>,
    #[serde(skip_serializing_if = "<[u32]>::is_empty")]
    unchecked: &'a [u32],
}

/// What the result of a function counts that executes `memory.size` and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum SizeUnit {
    Pages,
    Bytes,
}

/// As [`Origin`]: a number, the name of what was put in and a number, or nothing.
#[derive(Serialize)]
#[serde(untagged)]
enum FunctionOrigin {
    Function(u32),
    Inserted(&'static str, u32),
    Added(()),
}

/// The exported functions that only tell the size of memory 0, as in
/// `return __builtin_wasm_memory_size(0)`.
fn size_functions(module: &Module<'_>) -> BTreeMap<u32, SizeUnit> {
    const DEEPEST: usize = 4;
    let functions: BTreeSet<u32> = module.exported_functions().map(|(_, f)| f).collect();
    functions.into_iter().filter_map(|f| Some((f, size_unit(module, f, DEEPEST)?))).collect()
}

/// What the result counts of a function that executes `memory.size`, or calls one that does, and
/// nothing else but what takes and returns nothing: `wasm-ld` lets the exports of a command run
/// constructors and destructors.
fn size_unit(module: &Module<'_>, function: u32, depth: usize) -> Option<SizeUnit> {
    const LONGEST: usize = 64;
    let body = module.functions.get(function as usize)?.body.as_ref()?;
    if body.range.len() > LONGEST {
        return None;
    }
    let mut unit = None;
    let mut rest = Vec::new();
    let mut from = body.code_start;
    for site in &body.sites {
        rest.extend_from_slice(module.bytes.get(from..site.offset)?);
        from = site.offset + site.len;
        let told = match site.kind {
            SiteKind::MemorySize(0) => SizeUnit::Pages,
            SiteKind::Call(callee) => {
                let ty = module.function_type(callee)?;
                if ty.params().is_empty() && ty.results().is_empty() {
                    continue;
                }
                size_unit(module, callee, depth.checked_sub(1)?)?
            }
            _ => return None,
        };
        if unit.replace(told).is_some() {
            return None;
        }
    }
    rest.extend_from_slice(module.bytes.get(from..body.range.end)?);
    match (unit?, &rest[..]) {
        // `end`, or `return end`.
        (unit, [0x0b] | [0x0f, 0x0b]) => Some(unit),
        // The same after `i32.const 16 i32.shl`, or after `i32.const 65536 i32.mul`.
        (
            SizeUnit::Pages,
            [0x41, 0x10, 0x74, 0x0b]
            | [0x41, 0x10, 0x74, 0x0f, 0x0b]
            | [0x41, 0x80, 0x80, 0x04, 0x6c, 0x0b]
            | [0x41, 0x80, 0x80, 0x04, 0x6c, 0x0f, 0x0b],
        ) => Some(SizeUnit::Bytes),
        _ => None,
    }
}

/// Why a module is not watched in which there is nothing to see.
pub(crate) const NO_MEMORY: &str = "the module has no memory, so nothing is recorded";

impl Instrumented {
    /// What a recorder has to know, as JSON. `prepared` is what was instrumented.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] when the module has no memory.
    pub fn recorder_map(&self, prepared: &Prepared<'_>) -> Result<Vec<u8>> {
        let module = &prepared.module;
        let memory =
            module.memories.first().ok_or_else(|| Error::new(ErrorKind::Unsupported, NO_MEMORY))?;
        let memory_import = module
            .imports
            .iter()
            .find(|import| matches!(import.ty, wasmparser::TypeRef::Memory(_)))
            .map(|import| [import.module, import.name]);
        let map = RecorderMap {
            version: VERSION,
            name: module.names.module,
            imports: module.imports.len(),
            exports: module.exported_functions().collect(),
            allocator: prepared.allocator(),
            functions: self.map.origins().iter().map(|&origin| origin.into()).collect(),
            offsets: differences(self.map.points()),
            steps: self.map.steps().iter().map(|step| step.letter()).collect(),
            recursive: self.recursive.iter().map(|&is| if is { '1' } else { '0' }).collect(),
            globals: hooks::exported_globals(module).collect(),
            tables: hooks::exported_tables(module).collect(),
            entries: hooks::functions_to_enter(module).into_iter().collect(),
            constructors: language::constructors(module).into_iter().collect(),
            makes_objects: language::makes_objects(module),
            sizes: size_functions(module),
            stack_pointer: module.stack_pointer(),
            low_memory: module.low_memory_bytes(),
            initial_pages: memory.initial_pages,
            max_pages: memory.max_pages,
            is_shared: memory.shared,
            memory_import,
            checked: self.checked,
            unchecked: &self.unchecked,
        };
        serde_json::to_vec(&map)
            .map_err(|error| Error::new(ErrorKind::Unsupported, format!("cannot write: {error}")))
    }
}

/// Pairs of numbers in the digits of source maps' mappings (ECMA-426): each number is the difference to the one on the same side of
/// the pair before. A large module has a million pairs, of which a recorder needs few.
fn differences(pairs: &[(usize, usize)]) -> String {
    let mut text = String::with_capacity(3 * pairs.len());
    let mut last = (0, 0);
    for &(new, original) in pairs {
        push_digits(new as i64 - last.0, &mut text);
        push_digits(original as i64 - last.1, &mut text);
        last = (new as i64, original as i64);
    }
    text
}

/// The lowest bit is the sign, and each digit but the last has its sixth bit set.
fn push_digits(number: i64, text: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut rest = number.unsigned_abs() << 1 | u64::from(number < 0);
    loop {
        let more = if rest >= 32 { 32 } else { 0 };
        text.push(char::from(DIGITS[(rest & 31 | more) as usize]));
        rest >>= 5;
        if rest == 0 {
            return;
        }
    }
}

impl From<Origin> for FunctionOrigin {
    fn from(origin: Origin) -> FunctionOrigin {
        match origin {
            Origin::Function(function) => FunctionOrigin::Function(function),
            Origin::Wrapper(function) => FunctionOrigin::Inserted("wrapper", function),
            Origin::Entry(function) => FunctionOrigin::Inserted("entry", function),
            Origin::Stub(function) => FunctionOrigin::Inserted("stub", function),
            Origin::Added => FunctionOrigin::Added(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in the examples of ECMA-426, and decoded by hand.
    #[test]
    fn offsets_are_written_as_source_maps_write_mappings() {
        assert_eq!(differences(&[]), "");
        assert_eq!(differences(&[(0, 0), (1, 15)]), "AACe");
        assert_eq!(differences(&[(16, 123)]), "gB2H");
        assert_eq!(differences(&[(16, 123), (17, 122)]), "gB2HCD");
        assert_eq!(differences(&[(8, 1 << 30)]), "QggggggC");
    }

    #[test]
    fn functions_that_only_tell_the_size() {
        let wasm = wat::parse_str(
            r#"(module
                 (memory 1)
                 (func $start) (func $end)
                 (func $size (export "size") (result i32) memory.size)
                 (func (export "wrapped") (result i32) call $start call $size call $end)
                 (func (export "bytes") (result i32) (i32.shl (call $size) (i32.const 16)))
                 (func (export "product") (result i32)
                   (return (i32.mul (memory.size) (i32.const 65536))))
                 (func (export "half") (result i32) (i32.shr_u (memory.size) (i32.const 1)))
                 (func (export "twice") (result i32) (i32.add (call $size) (call $size)))
                 (func $endless (export "endless") (result i32) (call $endless))
                 (func (export "other") (result i32) (i32.const 1)))"#,
        )
        .unwrap();
        let module = Module::parse(&wasm).unwrap();
        let told: Vec<_> = size_functions(&module).into_values().collect();
        let [pages, bytes] = [SizeUnit::Pages, SizeUnit::Bytes];
        assert_eq!(told, [pages, pages, bytes, bytes]);
    }
}
