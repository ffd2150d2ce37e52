//! The rewriting pass: a module and its allocator in, an instrumented module and the way back to
//! the original offsets out.
//!
//! Nothing the module can observe changes. New imports are the hooks of [`hooks`], new
//! globals and functions stand behind the existing ones, and instructions that do not call, take
//! a function's reference or grow a memory are copied byte for byte.
//!
//! - `heap`: a wrapper for each allocator function
//! - `boundary`: stands in for exported functions, and for imported ones where they are called
//! - `calls`: calling contexts, kept at call sites and reset at exports
//! - `grow`: stands in for `memory.grow`

mod allocation;
pub(crate) mod boundary;
mod contexts;
mod growth;
pub(crate) mod hooks;
mod mode;
mod offset_map;
mod recorder_map;

use std::collections::{BTreeMap, BTreeSet};

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{Encode, InstructionSink, SectionId};
use wasmparser::ValType;

use crate::allocator::Allocator;
use crate::error::{Error, ErrorKind, Result};
use crate::module::CallGraph;
use crate::module::{Body, Module, SiteKind};
use crate::prepared::Prepared;
use hooks::Hook;

use contexts::Contexts;
pub use hooks::{HOOK_MODULE, MEMORY_EXPORT, SIZE_EXPORT, global_export, is_added_export};
pub use mode::Mode;
pub use offset_map::{OffsetMap, Origin};
#[cfg(test)]
pub(crate) use recorder_map::VERSION as MAP_VERSION;

/// The result of instrumenting a module.
#[derive(Debug)]
pub struct Instrumented {
    /// The new module.
    pub wasm: Vec<u8>,
    /// From its functions and offsets back to the original's.
    pub map: OffsetMap,
}

/// Rewrites `module` so that it reports what its heap does.
///
/// A module without functions of its own, or without a memory, comes back as it is.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] when the module cannot be rewritten.
pub(crate) fn instrument(prepared: &Prepared<'_>, mode: &Mode) -> Result<Instrumented> {
    let (module, graph, allocator) = (&prepared.module, &prepared.graph, prepared.allocator());
    let without_code = module.functions.iter().all(|function| function.body.is_none());
    if module.memories.is_empty() || without_code {
        return Ok(Instrumented { wasm: module.bytes.to_vec(), map: OffsetMap::identity(module) });
    }
    refuse_our_names(module)?;
    let layout = Layout::new(module, graph, allocator, mode);
    let mut rewriter = Rewriter {
        contexts: Contexts::new(module, graph, allocator),
        module,
        layout,
        has_imports: false,
        has_globals: false,
        has_exports: false,
        has_elements: false,
        points: Vec::new(),
    };
    let mut encoder = wasm_encoder::Module::new();
    rewriter.parse_core_module(&mut encoder, wasmparser::Parser::new(0), module.bytes).map_err(
        |error| Error::new(ErrorKind::Unsupported, format!("cannot instrument: {error}")),
    )?;
    let wasm = encoder.finish();
    let map = OffsetMap::new(&wasm, rewriter.layout.origins(), rewriter.points)?;
    Ok(Instrumented { wasm, map })
}

fn refuse_our_names(module: &Module<'_>) -> Result<()> {
    match module.exports.iter().find(|export| hooks::is_added_export(export.name)) {
        None => Ok(()),
        Some(export) => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the module exports `{}`, as instrumented modules do; give the original to linmem",
                export.name
            ),
        )),
    }
}

/// Where the new things stand in the instrumented module's index spaces.
pub(crate) struct Layout {
    /// The first hook's function index: after the original imports.
    first_hook: u32,
    /// The first appended function.
    first_added: u32,
    /// The appended functions, in order.
    added: Vec<Added>,
    /// Original function to the index of its wrapper.
    wrappers: BTreeMap<u32, u32>,
    /// Exported function to the index of its entry.
    entries: BTreeMap<u32, u32>,
    /// Imported function to the index of its stub.
    stubs: BTreeMap<u32, u32>,
    /// Index of the function that stands in for `memory.grow`.
    grow: u32,
    /// Index of the function that tells the host the memory's size.
    size: u32,
    /// First added type.
    first_type: u32,
    /// Added globals.
    pub(crate) globals: AddedGlobals,
    /// Address type of memory 0.
    pub(crate) address: ValType,
    /// Bytes in a page of memory 0.
    pub(crate) page_bytes: u64,
    /// Whether the module has tail calls. A chain of them through added functions must not use
    /// more and more stack.
    pub(crate) tail_calls: bool,
    /// See [`Mode::Record`].
    fail_alloc: Option<u64>,
}

/// Indices of the added globals.
pub(crate) struct AddedGlobals {
    /// `i32`: 1 while an allocator function runs.
    pub(crate) depth: u32,
    /// `i64`: the calling context of a callee that is not recursive.
    pub(crate) context: u32,
    /// `i64`: the calling context of a callee that is.
    pub(crate) cyclic: u32,
    /// `i64`: the anchor of its recursion.
    pub(crate) anchor: u32,
    /// `i64`: allocations left until one fails; only with [`Mode::Record`].
    pub(crate) until_failure: u32,
}

/// A function that instrumentation appends.
#[derive(Debug, Clone, Copy)]
enum Added {
    /// Stands in for an allocator function.
    Wrapper(u32, crate::allocator::Role),
    /// Stands in for an exported function; whether that can reach the allocator.
    Entry(u32, bool),
    /// Stands in for an imported function where it is called.
    Stub(u32),
    /// Stands in for `memory.grow`.
    Grow,
    /// Executes `memory.size`, for the host.
    Size,
}

impl Layout {
    fn new(module: &Module<'_>, graph: &CallGraph, allocator: &Allocator, mode: &Mode) -> Layout {
        let first_hook = module.imported_functions();
        let first_added = (module.functions.len() + Hook::ALL.len()) as u32;
        let first_global = module.globals.len() as u32;
        let mut layout = Layout {
            first_hook,
            first_added,
            added: Vec::new(),
            wrappers: BTreeMap::new(),
            entries: BTreeMap::new(),
            stubs: BTreeMap::new(),
            grow: 0,
            size: 0,
            first_type: module.types.len() as u32,
            globals: AddedGlobals {
                depth: first_global,
                context: first_global + 1,
                cyclic: first_global + 2,
                anchor: first_global + 3,
                until_failure: first_global + 4,
            },
            address: address_type(module),
            page_bytes: module.memories[0].page_bytes,
            tail_calls: has_tail_calls(module),
            fail_alloc: mode.fail_alloc(),
        };
        layout.grow = layout.add(Added::Grow);
        layout.size = layout.add(Added::Size);
        for hooked in &allocator.functions {
            let wrapper = layout.add(Added::Wrapper(hooked.function, hooked.role));
            layout.wrappers.insert(hooked.function, wrapper);
        }
        let observed = contexts::observed(module, graph, allocator);
        // An imported function that is exported again stays the same to the host.
        let exported: BTreeSet<u32> = module.exported_functions().map(|(_, f)| f).collect();
        for function in exported.range(first_hook..).copied() {
            let entry = layout.add(Added::Entry(function, observed[function as usize]));
            layout.entries.insert(function, entry);
        }
        for function in boundary::imports(module, allocator) {
            let stub = layout.add(Added::Stub(function));
            layout.stubs.insert(function, stub);
        }
        layout
    }

    fn add(&mut self, added: Added) -> u32 {
        self.added.push(added);
        self.first_added + self.added.len() as u32 - 1
    }

    /// Index of a hook.
    pub(crate) fn hook(&self, hook: Hook) -> u32 {
        self.first_hook + hook as u32
    }

    /// The original function's own new index.
    pub(crate) fn moved(&self, function: u32) -> u32 {
        if function < self.first_hook { function } else { function + Hook::ALL.len() as u32 }
    }

    /// What a reference to the original function goes to, or a call from outside.
    pub(crate) fn target(&self, function: u32) -> u32 {
        self.wrappers.get(&function).copied().unwrap_or_else(|| self.moved(function))
    }

    /// What a call of the original function goes to.
    fn callee(&self, function: u32) -> u32 {
        self.stubs.get(&function).copied().unwrap_or_else(|| self.target(function))
    }

    /// Calls a function, whose results are those of the caller.
    pub(crate) fn call_last(&self, function: u32, code: &mut InstructionSink<'_>) {
        if self.tail_calls {
            code.return_call(function);
        } else {
            code.call(function);
        }
    }

    fn hook_type(&self, hook: Hook) -> u32 {
        self.first_type + hook as u32
    }

    fn grow_type(&self) -> u32 {
        self.first_type + Hook::ALL.len() as u32
    }

    fn size_type(&self) -> u32 {
        self.grow_type() + 1
    }

    /// For every function of the new module, where it comes from.
    fn origins(&self) -> Vec<Origin> {
        let original = self.first_added - Hook::ALL.len() as u32;
        let imports = (0..self.first_hook).map(Origin::Function);
        let hooks = Hook::ALL.iter().map(|_| Origin::Added);
        let defined = (self.first_hook..original).map(Origin::Function);
        let added = self.added.iter().map(|added| match *added {
            Added::Wrapper(function, _) => Origin::Wrapper(function),
            Added::Entry(..) | Added::Stub(_) | Added::Grow | Added::Size => Origin::Added,
        });
        imports.chain(hooks).chain(defined).chain(added).collect()
    }
}

struct Rewriter<'m, 'a> {
    module: &'m Module<'a>,
    layout: Layout,
    contexts: Contexts,
    has_imports: bool,
    has_globals: bool,
    has_exports: bool,
    has_elements: bool,
    /// Per defined function: `(offset in the new body, offset in the original file)` wherever
    /// their difference changes.
    points: Vec<Vec<(usize, usize)>>,
}

type EncodeResult<T = ()> = std::result::Result<T, reencode::Error>;

impl Reencode for Rewriter<'_, '_> {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> EncodeResult<u32> {
        Ok(self.layout.target(function))
    }

    fn parse_type_section(
        &mut self,
        types: &mut wasm_encoder::TypeSection,
        section: wasmparser::TypeSectionReader<'_>,
    ) -> EncodeResult {
        reencode::utils::parse_type_section(self, types, section)?;
        let address = encoded(self.layout.address);
        for hook in Hook::ALL {
            types.ty().function(hook.params(self.layout.address).into_iter().map(encoded), []);
        }
        types.ty().function([address], [address]);
        types.ty().function([], [address]);
        Ok(())
    }

    fn parse_import_section(
        &mut self,
        imports: &mut wasm_encoder::ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> EncodeResult {
        reencode::utils::parse_import_section(self, imports, section)?;
        self.add_imports(imports);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut wasm_encoder::FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> EncodeResult {
        reencode::utils::parse_function_section(self, functions, section)?;
        for added in &self.layout.added {
            functions.function(match *added {
                Added::Wrapper(function, _) | Added::Entry(function, _) | Added::Stub(function) => {
                    self.module.functions[function as usize].type_index
                }
                Added::Grow => self.layout.grow_type(),
                Added::Size => self.layout.size_type(),
            });
        }
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut wasm_encoder::GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> EncodeResult {
        reencode::utils::parse_global_section(self, globals, section)?;
        self.add_globals(globals);
        Ok(())
    }

    fn parse_export(
        &mut self,
        exports: &mut wasm_encoder::ExportSection,
        export: wasmparser::Export<'_>,
    ) -> EncodeResult {
        let is_function = matches!(
            export.kind,
            wasmparser::ExternalKind::Func | wasmparser::ExternalKind::FuncExact
        );
        match self.layout.entries.get(&export.index) {
            Some(&entry) if is_function => {
                let kind = self.export_kind(export.kind)?;
                exports.export(export.name, kind, entry);
                Ok(())
            }
            _ => reencode::utils::parse_export(self, exports, export),
        }
    }

    fn parse_export_section(
        &mut self,
        exports: &mut wasm_encoder::ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> EncodeResult {
        reencode::utils::parse_export_section(self, exports, section)?;
        self.add_exports(exports);
        Ok(())
    }

    fn parse_element_section(
        &mut self,
        elements: &mut wasm_encoder::ElementSection,
        section: wasmparser::ElementSectionReader<'_>,
    ) -> EncodeResult {
        reencode::utils::parse_element_section(self, elements, section)?;
        self.declare_references(elements);
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut wasm_encoder::CodeSection,
        _: wasmparser::CodeSectionReader<'_>,
    ) -> EncodeResult {
        let module = self.module;
        for (index, function) in module.functions.iter().enumerate() {
            if let Some(body) = &function.body {
                let (bytes, points) = self.rewrite_body(index as u32, body);
                code.raw(&bytes);
                self.points.push(points);
            }
        }
        for added in &self.layout.added {
            code.raw(&self.added_body(*added));
        }
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        module: &mut wasm_encoder::Module,
        section: wasmparser::CustomSectionReader<'_>,
    ) -> EncodeResult {
        let name = section.name();
        // Both are tables of offsets into the original code.
        if crate::module::symbolize::is_debug_section(name) || name.starts_with("metadata.code.") {
            return Ok(());
        }
        if let wasmparser::KnownCustom::Name(names) = section.as_known() {
            // A damaged name section is legal, and useless.
            if let Ok(names) = self.custom_name_section(names) {
                module.section(&names);
            }
            return Ok(());
        }
        reencode::utils::parse_custom_section(self, module, section)
    }

    fn parse_custom_name_subsection(
        &mut self,
        names: &mut wasm_encoder::NameSection,
        section: wasmparser::Name<'_>,
    ) -> EncodeResult {
        use wasmparser::Name;
        let moved = |f: u32| Ok(self.layout.moved(f));
        match section {
            Name::Function(_) => names.functions(&self.function_names()),
            Name::Local(map) => names.locals(&reencode::utils::indirect_name_map(map, moved)?),
            Name::Label(map) => names.labels(&reencode::utils::indirect_name_map(map, moved)?),
            other => reencode::utils::parse_custom_name_subsection(self, names, other)?,
        }
        Ok(())
    }

    fn intersperse_section_hook(
        &mut self,
        module: &mut wasm_encoder::Module,
        _after: Option<SectionId>,
        before: Option<SectionId>,
    ) -> EncodeResult {
        if before == Some(SectionId::Function) && !self.has_imports {
            let mut imports = wasm_encoder::ImportSection::new();
            self.add_imports(&mut imports);
            module.section(&imports);
        }
        let past_globals = matches!(
            before,
            Some(
                SectionId::Export
                    | SectionId::Start
                    | SectionId::Element
                    | SectionId::DataCount
                    | SectionId::Code
            )
        );
        if past_globals && !self.has_globals {
            let mut globals = wasm_encoder::GlobalSection::new();
            self.add_globals(&mut globals);
            module.section(&globals);
        }
        let past_exports = matches!(
            before,
            Some(SectionId::Start | SectionId::Element | SectionId::DataCount | SectionId::Code)
        );
        if past_exports && !self.has_exports {
            let mut exports = wasm_encoder::ExportSection::new();
            self.add_exports(&mut exports);
            module.section(&exports);
        }
        let past_elements = matches!(before, Some(SectionId::DataCount | SectionId::Code));
        if past_elements && !self.has_elements {
            let mut elements = wasm_encoder::ElementSection::new();
            self.declare_references(&mut elements);
            if !elements.is_empty() {
                module.section(&elements);
            }
        }
        Ok(())
    }
}

impl Rewriter<'_, '_> {
    fn add_imports(&mut self, imports: &mut wasm_encoder::ImportSection) {
        self.has_imports = true;
        for hook in Hook::ALL {
            let ty = wasm_encoder::EntityType::Function(self.layout.hook_type(hook));
            imports.import(HOOK_MODULE, hook.name(), ty);
        }
    }

    fn add_globals(&mut self, globals: &mut wasm_encoder::GlobalSection) {
        use wasm_encoder::{ConstExpr, GlobalType, ValType::I32, ValType::I64};
        self.has_globals = true;
        let mutable = |val_type| GlobalType { val_type, mutable: true, shared: false };
        globals.global(mutable(I32), &ConstExpr::i32_const(0));
        for _context_cyclic_anchor in 0..3 {
            globals.global(mutable(I64), &ConstExpr::i64_const(0));
        }
        if let Some(nth) = self.layout.fail_alloc {
            globals.global(mutable(I64), &ConstExpr::i64_const(nth as i64));
        }
    }

    /// A `ref.func` in code is only valid for a function that is mentioned outside of code. Where
    /// an export was that mention, and the export now names the function's entry, a declarative
    /// element segment takes over.
    fn declare_references(&mut self, elements: &mut wasm_encoder::ElementSection) {
        self.has_elements = true;
        let bodies = self.module.functions.iter().filter_map(|f| f.body.as_ref());
        let referenced: BTreeSet<u32> = bodies
            .flat_map(|body| &body.sites)
            .filter_map(|site| match site.kind {
                SiteKind::RefFunc(function) => Some(function),
                _ => None,
            })
            .filter(|function| self.layout.entries.contains_key(function))
            .map(|function| self.layout.target(function))
            .collect();
        if !referenced.is_empty() {
            let functions: Vec<u32> = referenced.into_iter().collect();
            elements.declared(wasm_encoder::Elements::Functions(functions.into()));
        }
    }

    fn add_exports(&mut self, exports: &mut wasm_encoder::ExportSection) {
        use wasm_encoder::ExportKind;
        self.has_exports = true;
        exports.export(hooks::MEMORY_EXPORT, ExportKind::Memory, 0);
        exports.export(hooks::SIZE_EXPORT, ExportKind::Func, self.layout.size);
        for global in hooks::exported_globals(self.module) {
            exports.export(&hooks::global_export(global), ExportKind::Global, global);
        }
        for table in hooks::exported_tables(self.module) {
            exports.export(&hooks::table_export(table), ExportKind::Table, table);
        }
        for function in hooks::functions_met_elsewhere(self.module) {
            let target = self.layout.target(function);
            exports.export(&hooks::function_export(function), ExportKind::Func, target);
        }
    }

    fn function_names(&self) -> wasm_encoder::NameMap {
        let names = &self.module.names.functions;
        let moved = names.iter().map(|(&f, name)| (self.layout.moved(f), (*name).to_owned()));
        let hooks = Hook::ALL
            .iter()
            .map(|&hook| (self.layout.hook(hook), format!("{HOOK_MODULE}.{}", hook.name())));
        let added = self.layout.added.iter().zip(self.layout.first_added..);
        let added = added.map(|(added, index)| {
            let name = |function: u32| self.module.function_name(function).unwrap_or_default();
            match *added {
                Added::Wrapper(function, role) => (index, format!("{role}: {}", name(function))),
                Added::Entry(function, _) => (index, format!("entry: {}", name(function))),
                Added::Stub(function) => (index, format!("import: {}", name(function))),
                Added::Grow => (index, "memory.grow".to_owned()),
                Added::Size => (index, "memory.size".to_owned()),
            }
        });
        let all: BTreeMap<u32, String> = moved.chain(hooks).chain(added).collect();
        let mut map = wasm_encoder::NameMap::new();
        for (index, name) in &all {
            map.append(*index, name);
        }
        map
    }

    /// Copies a body, with calls and references to where their functions are now, `memory.grow`
    /// replaced, and contexts kept.
    fn rewrite_body(&self, function: u32, body: &Body) -> (Vec<u8>, Vec<(usize, usize)>) {
        let file = self.module.bytes;
        let context = self.contexts.of_function(function, body);
        let mut out = Vec::with_capacity(body.range.len() + 32 * body.sites.len());
        let mut points = Vec::new();
        copy_locals(file, body, context.as_ref().map_or(0, |c| c.extra_locals()), &mut out);
        if let Some(context) = &context {
            context.enter(&self.layout, &mut InstructionSink::new(&mut out));
        }
        let mut copied = body.code_start;
        points.push((out.len(), copied));
        for site in &body.sites {
            out.extend_from_slice(&file[copied..site.offset]);
            copied = site.offset + site.len;
            let before = out.len();
            if let Some(context) = &context {
                context.leave(&self.layout, site, &mut InstructionSink::new(&mut out));
            }
            if out.len() != before {
                points.push((out.len(), site.offset));
            }
            let instruction = out.len();
            let mut code = InstructionSink::new(&mut out);
            match site.kind {
                SiteKind::Call(callee) => drop(code.call(self.layout.callee(callee))),
                SiteKind::ReturnCall(callee) => drop(code.return_call(self.layout.callee(callee))),
                SiteKind::RefFunc(callee) => drop(code.ref_func(self.layout.target(callee))),
                SiteKind::MemoryGrow(0) => drop(code.call(self.layout.grow)),
                SiteKind::CallIndirect(_) | SiteKind::MemoryGrow(_) | SiteKind::MemorySize(_) => {
                    out.extend_from_slice(&file[site.offset..copied]);
                }
            }
            if out.len() - instruction != site.len {
                points.push((out.len(), copied));
            }
        }
        out.extend_from_slice(&file[copied..body.range.end]);
        (out, points)
    }

    fn type_of(&self, function: u32) -> &wasmparser::FuncType {
        self.module.function_type(function).expect("functions have function types")
    }

    fn added_body(&self, added: Added) -> Vec<u8> {
        match added {
            Added::Wrapper(function, role) => allocation::wrapper(
                &self.layout,
                role,
                self.layout.moved(function),
                self.layout.fail_alloc.is_some(),
            ),
            Added::Entry(function, observed) => {
                boundary::entry(&self.layout, function, self.type_of(function), observed)
            }
            Added::Stub(function) => boundary::stub(&self.layout, function, self.type_of(function)),
            Added::Grow => growth::replacement(&self.layout),
            Added::Size => growth::size(),
        }
    }
}

/// The type of addresses in memory 0.
fn address_type(module: &Module<'_>) -> ValType {
    match module.memories.first() {
        Some(memory) if memory.is_64 => ValType::I64,
        _ => ValType::I32,
    }
}

fn has_tail_calls(module: &Module<'_>) -> bool {
    const RETURN_CALLS: [u8; 3] = [0x12, 0x13, 0x15];
    let bodies = module.functions.iter().filter_map(|function| function.body.as_ref());
    bodies
        .flat_map(|body| &body.sites)
        .any(|site| RETURN_CALLS.contains(&module.bytes[site.offset]))
}

/// Copies the declarations of locals, with `extra` more of type `i64` at the end.
fn copy_locals(file: &[u8], body: &Body, extra: u32, out: &mut Vec<u8>) {
    let mut reader = wasmparser::BinaryReader::new(&file[body.range.start..body.code_start], 0);
    // The module is valid, so the count is there.
    let _ = reader.read_var_u32();
    let groups = &file[body.range.start + reader.original_position()..body.code_start];
    (body.local_groups + u32::from(extra > 0)).encode(out);
    out.extend_from_slice(groups);
    if extra > 0 {
        extra.encode(out);
        wasm_encoder::ValType::I64.encode(out);
    }
}

/// The encoder's word for a number type.
pub(crate) fn encoded(ty: ValType) -> wasm_encoder::ValType {
    match ty {
        ValType::I64 => wasm_encoder::ValType::I64,
        _ => wasm_encoder::ValType::I32,
    }
}

#[cfg(test)]
mod tests;
