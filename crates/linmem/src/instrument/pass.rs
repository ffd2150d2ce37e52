//! The pass itself: a module is read and written again section by section, with what a [`Plan`] adds.

use std::collections::BTreeMap;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{ConstExpr, GlobalType, RefType, SectionId, TableType, ValType};

use super::Instrumented;
use super::edits::Edits;
use super::features::Features;
use super::hooks;
use super::index_space::{AddedGlobal, IndexSpace};
use super::left_alone::{self, TooLarge};
use super::mode::Plan;
use super::offset_map::{OffsetMap, Points};
use crate::error::{Error, ErrorKind, Result};
use crate::module::Module;
use crate::module::symbolize::is_debug_section;
use crate::prepared::Prepared;

/// Puts what is planned into a module.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] when the module cannot be rewritten.
pub(super) fn run(prepared: &Prepared<'_>, plan: Plan<'_>) -> Result<Instrumented> {
    let module = &prepared.module;
    let features = Features::of(module);
    let space = IndexSpace::new(module, &features, &plan);
    let left_alone = left_alone::functions(prepared, &plan, &space)?;
    let mut pass = Pass {
        module,
        features,
        space,
        plan,
        left_alone,
        unfinished: &ADDED_TO,
        points: Points::default(),
        hinted: Vec::new(),
    };
    let mut encoder = wasm_encoder::Module::new();
    pass.parse_core_module(&mut encoder, wasmparser::Parser::new(0), module.bytes).map_err(
        |error| Error::new(ErrorKind::Unsupported, format!("cannot instrument: {error}")),
    )?;
    let wasm = encoder.finish();
    let map = OffsetMap::new(&wasm, pass.space.origins(&pass.plan), pass.points)?;
    let checked = pass.plan.checked;
    let unchecked =
        checked.map_or_else(Vec::new, |_| left_alone::of_the_program(prepared, &pass.left_alone));
    Ok(Instrumented { wasm, map, recursive: pass.plan.recursive, checked, unchecked })
}

/// The sections that a module may lack and that something is added to, in order.
const ADDED_TO: [SectionId; 10] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Global,
    SectionId::Export,
    SectionId::Start,
    SectionId::Element,
    SectionId::Code,
];

/// Sections stand in this order.
const ORDER: [SectionId; 13] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Tag,
    SectionId::Global,
    SectionId::Export,
    SectionId::Start,
    SectionId::Element,
    SectionId::DataCount,
    SectionId::Code,
    SectionId::Data,
];

struct Pass<'m, 'a> {
    module: &'m Module<'a>,
    features: Features,
    space: IndexSpace,
    plan: Plan<'m>,
    /// The functions that are edited no more than they must be.
    left_alone: BTreeMap<u32, TooLarge>,
    /// What is left of [`ADDED_TO`].
    unfinished: &'static [SectionId],
    points: Points,
    /// The edited bodies, where hints have been written on them.
    hinted: Vec<Vec<u8>>,
}

type EncodeResult<T = ()> = std::result::Result<T, reencode::Error>;

impl Reencode for Pass<'_, '_> {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> EncodeResult<u32> {
        Ok(self.space.target(function))
    }

    fn parse_type_section(
        &mut self,
        types: &mut wasm_encoder::TypeSection,
        section: wasmparser::TypeSectionReader<'_>,
    ) -> EncodeResult {
        reencode::utils::parse_type_section(self, types, section)?;
        self.add_types(types);
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
        self.add_functions(functions);
        Ok(())
    }

    fn parse_table_section(
        &mut self,
        tables: &mut wasm_encoder::TableSection,
        section: wasmparser::TableSectionReader<'_>,
    ) -> EncodeResult {
        reencode::utils::parse_table_section(self, tables, section)?;
        self.add_table(tables);
        Ok(())
    }

    fn parse_memory_section(
        &mut self,
        memories: &mut wasm_encoder::MemorySection,
        section: wasmparser::MemorySectionReader<'_>,
    ) -> EncodeResult {
        reencode::utils::parse_memory_section(self, memories, section)?;
        self.add_memories(memories);
        Ok(())
    }

    fn start_section(&mut self, start: u32) -> EncodeResult<u32> {
        self.finish(SectionId::Start);
        Ok(self.space.start().unwrap_or(self.space.target(start)))
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
        match self.space.entry(export.index) {
            Some(entry) if is_function => {
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
        self.fill_table(elements);
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut wasm_encoder::CodeSection,
        _: wasmparser::CodeSectionReader<'_>,
    ) -> EncodeResult {
        match std::mem::take(&mut self.hinted) {
            hinted if hinted.is_empty() => self.edit_bodies(|_, body, _| {
                code.raw(body);
            }),
            hinted => hinted.iter().for_each(|body| {
                code.raw(body);
            }),
        }
        self.add_bodies(code);
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        module: &mut wasm_encoder::Module,
        section: wasmparser::CustomSectionReader<'_>,
    ) -> EncodeResult {
        let name = section.name();
        // Both are tables of offsets into the original code.
        if is_debug_section(name) || name.starts_with("metadata.code.") {
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
        let moved = |f: u32| Ok(self.space.moved(f));
        match section {
            Name::Function(_) => names.functions(&self.function_names()),
            Name::Local(map) => names.locals(&reencode::utils::indirect_name_map(map, moved)?),
            Name::Label(map) => names.labels(&reencode::utils::indirect_name_map(map, moved)?),
            other => reencode::utils::parse_custom_name_subsection(self, names, other)?,
        }
        Ok(())
    }

    /// Writes the sections that the module lacks.
    fn intersperse_section_hook(
        &mut self,
        module: &mut wasm_encoder::Module,
        _after: Option<SectionId>,
        before: Option<SectionId>,
    ) -> EncodeResult {
        let position = |section| ORDER.iter().position(|other| *other == section);
        if self.plan.checked.is_some() && before == Some(SectionId::Code) {
            self.write_hints(module);
        }
        while let Some(&missing) = self.unfinished.first()
            && before.is_none_or(|before| position(missing) < position(before))
        {
            self.write_missing(missing, module);
        }
        Ok(())
    }
}

impl Pass<'_, '_> {
    /// Gives each edited body to `each`, with the new index of its function, and where an `if` stands in it that is hardly
    /// ever taken.
    fn edit_bodies(&mut self, mut each: impl FnMut(u32, &[u8], &[u32])) {
        let mut edits = Edits::default();
        let (mut edited, mut unlikely) = (Vec::new(), Vec::new());
        for (function, index) in self.module.functions.iter().zip(0..) {
            let Some(body) = &function.body else { continue };
            if self.left_alone.contains_key(&index) {
                edits.gather_needed(&self.space, index, body);
            } else {
                edits.gather(&self.plan, &self.space, index, body);
            }
            edited.clear();
            unlikely.clear();
            edits.apply(self.module.bytes, body, &mut edited, &mut self.points, &mut unlikely);
            each(self.space.moved(index), &edited, &unlikely);
        }
    }

    /// Tells the engine which branches are hardly ever taken. That stands in front of the code, so the bodies are edited here
    /// and kept.
    fn write_hints(&mut self, module: &mut wasm_encoder::Module) {
        let (mut bodies, mut hints) = (Vec::new(), wasm_encoder::BranchHints::new());
        self.edit_bodies(|function, body, unlikely| {
            bodies.push(body.to_vec());
            if !unlikely.is_empty() {
                let of_function = unlikely.iter().map(|&branch_func_offset| {
                    wasm_encoder::BranchHint { branch_func_offset, branch_hint_value: 0 }
                });
                hints.function_hints(function, of_function);
            }
        });
        module.section(&hints);
        self.hinted = bodies;
    }

    fn write_missing(&mut self, section: SectionId, module: &mut wasm_encoder::Module) {
        match section {
            SectionId::Type => {
                let mut types = wasm_encoder::TypeSection::new();
                self.add_types(&mut types);
                module.section(&types);
            }
            SectionId::Function => {
                let mut functions = wasm_encoder::FunctionSection::new();
                self.add_functions(&mut functions);
                module.section(&functions);
            }
            SectionId::Code => {
                let mut code = wasm_encoder::CodeSection::new();
                self.add_bodies(&mut code);
                module.section(&code);
            }
            SectionId::Import => {
                let mut imports = wasm_encoder::ImportSection::new();
                self.add_imports(&mut imports);
                module.section(&imports);
            }
            SectionId::Table => {
                let mut tables = wasm_encoder::TableSection::new();
                self.add_table(&mut tables);
                if !tables.is_empty() {
                    module.section(&tables);
                }
            }
            SectionId::Memory => {
                let mut memories = wasm_encoder::MemorySection::new();
                self.add_memories(&mut memories);
                if !memories.is_empty() {
                    module.section(&memories);
                }
            }
            SectionId::Start => {
                self.finish(SectionId::Start);
                if let Some(function_index) = self.space.start() {
                    module.section(&wasm_encoder::StartSection { function_index });
                }
            }
            SectionId::Global => {
                let mut globals = wasm_encoder::GlobalSection::new();
                self.add_globals(&mut globals);
                module.section(&globals);
            }
            SectionId::Export => {
                let mut exports = wasm_encoder::ExportSection::new();
                self.add_exports(&mut exports);
                module.section(&exports);
            }
            _ => {
                let mut elements = wasm_encoder::ElementSection::new();
                self.fill_table(&mut elements);
                if !elements.is_empty() {
                    module.section(&elements);
                }
            }
        }
    }

    fn finish(&mut self, section: SectionId) {
        self.unfinished = self.unfinished.strip_prefix(&[section]).unwrap_or(self.unfinished);
    }

    fn add_types(&mut self, types: &mut wasm_encoder::TypeSection) {
        self.finish(SectionId::Type);
        for (params, results) in self.space.types() {
            types.ty().function(params.iter().copied(), results.iter().copied());
        }
    }

    fn add_functions(&mut self, functions: &mut wasm_encoder::FunctionSection) {
        self.finish(SectionId::Function);
        for &ty in self.space.inserted_types() {
            functions.function(ty);
        }
    }

    fn add_bodies(&mut self, code: &mut wasm_encoder::CodeSection) {
        self.finish(SectionId::Code);
        for inserted in &self.plan.inserted {
            code.raw(&inserted.body(&self.features, &self.space));
        }
    }

    fn add_imports(&mut self, imports: &mut wasm_encoder::ImportSection) {
        self.finish(SectionId::Import);
        for (hook, ty) in self.space.hooks() {
            let ty = wasm_encoder::EntityType::Function(ty);
            imports.import(&self.plan.hook_module, hook.name(), ty);
        }
    }

    fn add_globals(&mut self, globals: &mut wasm_encoder::GlobalSection) {
        self.finish(SectionId::Global);
        for &(global, start) in &self.plan.globals {
            let (val_type, start) = match global.ty() {
                ValType::I32 => (ValType::I32, ConstExpr::i32_const(start as i32)),
                _ => (ValType::I64, ConstExpr::i64_const(start)),
            };
            globals.global(GlobalType { val_type, mutable: true, shared: false }, &start);
        }
    }

    fn add_memories(&mut self, memories: &mut wasm_encoder::MemorySection) {
        self.finish(SectionId::Memory);
        for added in &self.plan.memories {
            memories.memory(added.ty);
        }
    }

    /// Index of the table that is added.
    fn added_table(&self) -> u32 {
        self.module.function_tables.len() as u32
    }

    /// A table with the functions that the host can call, and with their entries.
    fn add_table(&mut self, tables: &mut wasm_encoder::TableSection) {
        self.finish(SectionId::Table);
        let size = 2 * self.space.entries().len() as u64;
        if size > 0 {
            tables.table(TableType {
                element_type: RefType::FUNCREF,
                table64: false,
                minimum: size,
                maximum: Some(size),
                shared: false,
            });
        }
    }

    /// Fills the added table. A `ref.func` in code is only valid for a function that is mentioned outside
    /// code: where an export was that mention, and now names the function's entry, the table is one.
    fn fill_table(&mut self, elements: &mut wasm_encoder::ElementSection) {
        self.finish(SectionId::Element);
        let entries = self.space.entries();
        let own = entries.keys().map(|&function| self.space.target(function));
        let functions: Vec<u32> = own.chain(entries.values().copied()).collect();
        if !functions.is_empty() {
            let functions = wasm_encoder::Elements::Functions(functions.into());
            elements.active(Some(self.added_table()), &ConstExpr::i32_const(0), functions);
        }
    }

    fn add_exports(&mut self, exports: &mut wasm_encoder::ExportSection) {
        use wasm_encoder::ExportKind;
        self.finish(SectionId::Export);
        exports.export(hooks::MEMORY_EXPORT, ExportKind::Memory, 0);
        for &(name, function) in self.space.exports() {
            exports.export(name, ExportKind::Func, function);
        }
        for global in hooks::exported_globals(self.module) {
            exports.export(&hooks::global_export(global), ExportKind::Global, global);
        }
        for table in hooks::exported_tables(self.module) {
            exports.export(&hooks::table_export(table), ExportKind::Table, table);
        }
        let instance = self.space.global(AddedGlobal::Instance);
        exports.export(hooks::INSTANCE_EXPORT, ExportKind::Global, instance);
        let running = self.space.global(AddedGlobal::Running);
        exports.export(hooks::RUNNING_EXPORT, ExportKind::Global, running);
        if !self.space.entries().is_empty() {
            exports.export(hooks::FUNCTIONS_EXPORT, ExportKind::Table, self.added_table());
        }
    }

    fn function_names(&self) -> wasm_encoder::NameMap {
        let names = &self.module.names.functions;
        let moved = names.iter().map(|(&f, name)| (self.space.moved(f), (*name).to_owned()));
        let Plan { hooks, hook_module, .. } = &self.plan;
        let hooks = hooks
            .iter()
            .map(|&hook| (self.space.hook(hook), format!("{hook_module}.{}", hook.name())));
        let inserted = self.plan.inserted.iter().zip(self.space.first_inserted()..);
        let inserted = inserted.map(|(inserted, index)| (index, inserted.name()));
        let all: BTreeMap<u32, String> = moved.chain(hooks).chain(inserted).collect();
        let mut map = wasm_encoder::NameMap::new();
        for (index, name) in &all {
            map.append(*index, name);
        }
        map
    }
}
