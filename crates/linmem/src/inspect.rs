//! What is in a module, without running it.

use std::iter::Peekable;
use std::str::Lines;

use wasm_encoder::reencode::{self, Reencode};

use crate::error::{Error, ErrorKind, Result};
use crate::module::memory_map::MemoryMap;
use crate::module::symbolize::{SourceLines, debug_file_name, is_debug_section};
use crate::module::{Module, SiteKind};
use crate::prepared::Prepared;
use crate::report::Coverage;

/// What is in a module. Its `Display` is text for a terminal.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Inspection {
    /// Size of the file in bytes, and how many of them are debug information.
    pub file_bytes: u64,
    /// Bytes of debug information in the file.
    pub debug_bytes: u64,
    /// Bytes of code.
    pub code_bytes: u64,
    /// Functions that the module defines.
    pub functions: usize,
    /// Whether the name section names functions.
    pub has_names: bool,
    /// Whether debug information gives source lines.
    pub source_lines: SourceLines,
    /// The file that holds the debug information, if the module names one.
    pub external_debug_info: Option<String>,
    /// Toolchain, from the producers section: `language C11`, `processed-by clang 19.1.7`.
    pub producers: Vec<String>,
    /// The memories.
    pub memories: Vec<MemoryInspection>,
    /// Where things lie in memory 0.
    pub layout: MemoryMap,
    /// Active data segments with a constant address: `(address, bytes)`.
    pub data: Vec<(u64, u64)>,
    /// Passive data segments and those with a computed address.
    pub other_data: usize,
    /// What `linmem run` would hook, and what it would not.
    pub coverage: Coverage,
    /// Functions that ask for or change the size of a memory.
    pub memory_functions: Vec<MemoryFunction>,
}

/// One memory.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MemoryInspection {
    /// Where it is imported from.
    pub import: Option<String>,
    /// Under which names it is exported.
    pub exports: Vec<String>,
    /// Pages at the start.
    pub initial_pages: u64,
    /// Declared maximum in pages.
    pub max_pages: Option<u64>,
    /// Whether addresses are 64 bits wide.
    pub is_64: bool,
    /// Whether threads share it.
    pub shared: bool,
}

/// A function that contains `memory.size` or `memory.grow`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MemoryFunction {
    /// Its index.
    pub function: u32,
    /// Its name.
    pub name: String,
    /// Under which names it is exported.
    pub exports: Vec<String>,
    /// Where it starts in the sources: file and line.
    pub line: Option<(String, u32)>,
    /// How many `memory.size` it contains.
    pub sizes: usize,
    /// How many `memory.grow` it contains.
    pub grows: usize,
    /// The function as WebAssembly text.
    pub wat: String,
}

/// Looks at a module.
///
/// ```
/// let wasm = wat::parse_str(
///     r#"(module (memory (export "memory") 2) (func (export "pages") (result i32) memory.size))"#,
/// ).unwrap();
/// let inspection = linmem::Prepared::new(&wasm, &Vec::new(), None)?.inspect()?;
/// assert_eq!(inspection.memories[0].initial_pages, 2);
/// assert!(inspection.memory_functions[0].wat.contains("memory.size"));
/// # Ok::<(), linmem::Error>(())
/// ```
///
/// # Errors
///
/// As for [`Allocator::discover`].
pub(crate) fn inspect(prepared: &Prepared<'_>) -> Result<Inspection> {
    let module = &prepared.module;
    let debug = module.custom_sections.iter().filter(|(name, _)| is_debug_section(name));
    let constant: Vec<(u64, u64)> =
        module.data.iter().filter_map(|data| Some((data.address?, data.len))).collect();
    let external = debug_file_name(module.bytes).map(str::to_owned);
    Ok(Inspection {
        file_bytes: module.bytes.len() as u64,
        debug_bytes: debug.map(|(_, data)| data.len() as u64).sum(),
        code_bytes: module.code_section.len() as u64,
        functions: module.functions.iter().filter(|f| f.body.is_some()).count(),
        has_names: !module.names.functions.is_empty(),
        source_lines: prepared.source_lines(),
        external_debug_info: external,
        producers: producers(module),
        memories: memories(module),
        layout: MemoryMap::of(module),
        other_data: module.data.len() - constant.len(),
        data: constant,
        coverage: Coverage::of(prepared.allocator(), |function| prepared.function_name(function)),
        memory_functions: memory_functions(prepared)?,
    })
}

fn producers(module: &Module<'_>) -> Vec<String> {
    let fields = module.producers.iter();
    fields
        .map(|(field, value, version)| format!("{field} {value} {version}").trim_end().to_owned())
        .collect()
}

fn memories(module: &Module<'_>) -> Vec<MemoryInspection> {
    let mut imports = module
        .imports
        .iter()
        .filter(|import| matches!(import.ty, wasmparser::TypeRef::Memory(_)))
        .map(|import| format!("{}.{}", import.module, import.name));
    let memories = module.memories.iter().zip(0..);
    memories
        .map(|(memory, index)| MemoryInspection {
            import: imports.next(),
            exports: export_names(module, wasmparser::ExternalKind::Memory, index),
            initial_pages: memory.initial_pages,
            max_pages: memory.max_pages,
            is_64: memory.is_64,
            shared: memory.shared,
        })
        .collect()
}

fn export_names(module: &Module<'_>, kind: wasmparser::ExternalKind, index: u32) -> Vec<String> {
    let exports = module.exports.iter().filter(|e| e.kind == kind && e.index == index);
    exports.map(|export| export.name.to_owned()).collect()
}

fn memory_functions(prepared: &Prepared<'_>) -> Result<Vec<MemoryFunction>> {
    let module = &prepared.module;
    let mut found = Vec::new();
    for (function, index) in module.functions.iter().zip(0..) {
        let sites = function.body.iter().flat_map(|body| &body.sites);
        let sizes = sites.clone().filter(|s| matches!(s.kind, SiteKind::MemorySize(_))).count();
        let grows = sites.filter(|s| matches!(s.kind, SiteKind::MemoryGrow(_))).count();
        if sizes + grows > 0 {
            found.push(MemoryFunction {
                function: index,
                name: prepared.function_name(index),
                exports: export_names(module, wasmparser::ExternalKind::Func, index),
                line: prepared.symbols.function_line(module, index),
                sizes,
                grows,
                wat: String::new(),
            });
        }
    }
    let wanted: Vec<u32> = found.iter().map(|f| f.function).collect();
    // A damaged name section leaves the module valid, but unprintable.
    let text = print_functions(module, &wanted, true)
        .or_else(|_| print_functions(module, &wanted, false))?;
    let mut lines = text.lines().peekable();
    for function in &mut found {
        function.wat = cut_function(&mut lines, function.function).unwrap_or_default();
    }
    Ok(found)
}

/// The text of a module in which all functions but `wanted` are empty, so that printing a large
/// module to show a few functions costs little.
fn print_functions(module: &Module<'_>, wanted: &[u32], with_names: bool) -> Result<String> {
    let unprintable =
        |reason: String| Error::new(ErrorKind::Unsupported, format!("cannot print: {reason}"));
    let mut skeleton = wasm_encoder::Module::new();
    Skeleton { module, wanted, with_names }
        .parse_core_module(&mut skeleton, wasmparser::Parser::new(0), module.bytes)
        .map_err(|error| unprintable(error.to_string()))?;
    wasmprinter::print_bytes(skeleton.finish()).map_err(|error| unprintable(error.to_string()))
}

struct Skeleton<'s> {
    module: &'s Module<'s>,
    /// Sorted.
    wanted: &'s [u32],
    with_names: bool,
}

impl Reencode for Skeleton<'_> {
    type Error = std::convert::Infallible;

    fn parse_code_section(
        &mut self,
        code: &mut wasm_encoder::CodeSection,
        _: wasmparser::CodeSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        for (function, index) in self.module.functions.iter().zip(0..) {
            match &function.body {
                Some(body) if self.wanted.binary_search(&index).is_ok() => {
                    code.raw(&self.module.bytes[body.range.clone()]);
                }
                // No locals, `unreachable`, `end`.
                Some(_) => drop(code.raw(&[0x00, 0x00, 0x0b])),
                None => {}
            }
        }
        Ok(())
    }

    fn parse_data_section(
        &mut self,
        data: &mut wasm_encoder::DataSection,
        section: wasmparser::DataSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        // As many as the module says that it has, without what is in them.
        for _ in 0..section.count() {
            data.passive([]);
        }
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        module: &mut wasm_encoder::Module,
        section: wasmparser::CustomSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        match section.as_known() {
            wasmparser::KnownCustom::Name(_) if self.with_names => {
                reencode::utils::parse_custom_section(self, module, section)
            }
            _ => Ok(()),
        }
    }
}

/// The next function of this index in a module's text: from its `(func` to the parenthesis that
/// closes it, both two columns in.
fn cut_function(lines: &mut Peekable<Lines<'_>>, function: u32) -> Option<String> {
    let marker = format!("(;{function};)");
    let first = lines.find(|line| line.starts_with("  (func ") && line.contains(&marker))?;
    let mut cut = first.strip_prefix("  ")?.to_owned();
    while let Some(line) = lines.next_if(|line| line.starts_with("   ") || *line == "  )") {
        cut.push('\n');
        cut.push_str(line.strip_prefix("  ").unwrap_or(line));
    }
    Some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `memory.init` needs a section that says how many data segments there are.
    #[test]
    fn a_module_that_counts_its_data() {
        let wasm = wat::parse_str(
            r#"(module
                 (memory 1)
                 (data "passive") (data (i32.const 8) "active")
                 (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 7)))
                 (func (result i32) memory.size))"#,
        )
        .unwrap();
        let inspection = Prepared::new(&wasm, &Vec::new(), None).unwrap().inspect().unwrap();
        assert!(inspection.memory_functions[0].wat.contains("memory.size"));
    }
}
