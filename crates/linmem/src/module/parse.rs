//! Bytes to the facts of a module: validates and decodes the file, once.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{
    CompositeInnerType, ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, KnownCustom,
    Name, Operator, Parser, Payload, TypeRef, ValidPayload, Validator, WasmFeatures,
};

use super::body::{Body, SiteKind};
use super::{DataSegment, Export, Function, Global, Import, Memory, Module, Names};
use crate::error::{Error, ErrorKind, Result};

impl<'a> Module<'a> {
    /// Reads and validates a core module.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidModule`] with the offset and the reason when the bytes are not a valid
    /// module, [`ErrorKind::Unsupported`] for a component or a text file.
    pub fn parse(bytes: &'a [u8]) -> Result<Module<'a>> {
        #[cfg(test)]
        crate::module::steps::count("parse");
        refuse_other_formats(bytes)?;
        let mut module = Module::empty(bytes);
        module.read().map_err(Error::invalid_module)?;
        module.address_taken.sort_unstable();
        module.address_taken.dedup();
        // Names may be given to what does not exist.
        let (functions, globals) = (module.functions.len(), module.globals.len());
        module.names.functions.retain(|index, _| (*index as usize) < functions);
        module.names.globals.retain(|index, _| (*index as usize) < globals);
        Ok(module)
    }

    fn empty(bytes: &'a [u8]) -> Module<'a> {
        Module {
            bytes,
            types: Vec::new(),
            imports: Vec::new(),
            functions: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            function_tables: Vec::new(),
            exports: Vec::new(),
            start: None,
            address_taken: Vec::new(),
            data: Vec::new(),
            copies: Vec::new(),
            adjustments: BTreeSet::new(),
            names: Names::default(),
            producers: Vec::new(),
            custom_sections: Vec::new(),
            code_section: 0..0,
            function_imports: Vec::new(),
            export_names: BTreeMap::new(),
        }
    }

    fn read(&mut self) -> wasmparser::Result<()> {
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        let mut allocations = Default::default();
        let mut next_body = 0;
        for payload in Parser::new(0).parse_all(self.bytes) {
            let payload = payload?;
            match validator.payload(&payload)? {
                ValidPayload::Func(function, body) => {
                    let mut function = function.into_validator(allocations);
                    let index = self.imported_functions() + next_body;
                    let mut body = Body::read(&body, &mut function, &mut self.adjustments)?;
                    self.copies.append(&mut body.statics.copies);
                    let taken = body.sites.iter().filter_map(|site| match site.kind {
                        SiteKind::RefFunc(function) => Some(function),
                        _ => None,
                    });
                    self.address_taken.extend(taken);
                    self.functions[index as usize].body = Some(body);
                    allocations = function.into_allocations();
                    next_body += 1;
                }
                _ => self.read_section(payload)?,
            }
        }
        Ok(())
    }

    fn read_section(&mut self, payload: Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group?.types() {
                        self.types.push(match &ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty.clone()),
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    self.read_import(Import {
                        module: import.module,
                        name: import.name,
                        ty: import.ty,
                    });
                }
            }
            Payload::FunctionSection(section) => {
                for type_index in section {
                    self.functions.push(Function { type_index: type_index?, body: None });
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table?;
                    self.function_tables.push(may_hold_functions(table.ty));
                    if let wasmparser::TableInit::Expr(init) = table.init {
                        self.read_const(&init)?;
                    }
                }
            }
            Payload::MemorySection(section) => {
                for ty in section {
                    self.memories.push(Memory::new(ty?, false));
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    let init = self.read_const(&global.init_expr)?;
                    self.globals.push(Global {
                        imported: false,
                        mutable: global.ty.mutable,
                        ty: global.ty.content_type,
                        init,
                    });
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let wasmparser::Export { name, kind, index } = export?;
                    if matches!(kind, ExternalKind::Func | ExternalKind::FuncExact) {
                        self.export_names.entry(index).or_insert(name);
                    }
                    self.exports.push(Export { name, kind, index });
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(section) => {
                for element in section {
                    self.read_element(element?)?;
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let data = data?;
                    let address = match data.kind {
                        DataKind::Active { memory_index: 0, offset_expr } => {
                            self.read_const(&offset_expr)?
                        }
                        _ => None,
                    };
                    let (len, end) = (data.data.len(), data.range.end);
                    self.data.push(DataSegment { address, len: len as u64, range: end - len..end });
                }
            }
            Payload::CodeSectionStart { range, .. } => self.code_section = range,
            Payload::CustomSection(section) => self.read_custom(section),
            _ => {}
        }
        Ok(())
    }

    fn read_import(&mut self, import: Import<'a>) {
        match import.ty {
            TypeRef::Func(type_index) | TypeRef::FuncExact(type_index) => {
                self.function_imports.push(self.imports.len());
                self.functions.push(Function { type_index, body: None });
            }
            TypeRef::Memory(ty) => self.memories.push(Memory::new(ty, true)),
            TypeRef::Global(ty) => self.globals.push(Global {
                imported: true,
                mutable: ty.mutable,
                ty: ty.content_type,
                init: None,
            }),
            TypeRef::Table(ty) => self.function_tables.push(may_hold_functions(ty)),
            TypeRef::Tag(_) => {}
        }
        self.imports.push(import);
    }

    fn read_element(&mut self, element: wasmparser::Element<'a>) -> wasmparser::Result<()> {
        if let ElementKind::Active { offset_expr, .. } = element.kind {
            self.read_const(&offset_expr)?;
        }
        match element.items {
            ElementItems::Functions(functions) => {
                for function in functions {
                    self.address_taken.push(function?);
                }
            }
            ElementItems::Expressions(_, expressions) => {
                for expression in expressions {
                    self.read_const(&expression?)?;
                }
            }
        }
        Ok(())
    }

    /// Notes the functions that a constant expression refers to, and returns its value when it
    /// is a single integer constant.
    fn read_const(&mut self, expression: &ConstExpr<'a>) -> wasmparser::Result<Option<u64>> {
        let mut value = None;
        let mut operators = 0;
        for operator in expression.get_operators_reader() {
            operators += 1;
            match operator? {
                Operator::I32Const { value: v } => value = Some(u64::from(v as u32)),
                Operator::I64Const { value: v } => value = Some(v as u64),
                Operator::RefFunc { function_index } => self.address_taken.push(function_index),
                _ => {}
            }
        }
        // The constant and the `end`.
        Ok(value.filter(|_| operators == 2))
    }

    /// Custom sections never make a module invalid, so a damaged one is left out.
    fn read_custom(&mut self, section: wasmparser::CustomSectionReader<'a>) {
        self.custom_sections.push((section.name(), section.data()));
        match section.as_known() {
            KnownCustom::Name(reader) => {
                for name in reader.into_iter().map_while(Result::ok) {
                    self.read_names(name);
                }
            }
            KnownCustom::Producers(reader) => {
                for field in reader.into_iter().map_while(Result::ok) {
                    for value in field.values.into_iter().map_while(Result::ok) {
                        self.producers.push((field.name, value.name, value.version));
                    }
                }
            }
            _ => {}
        }
    }

    fn read_names(&mut self, name: Name<'a>) {
        match name {
            Name::Module { name, .. } => self.names.module = Some(name),
            Name::Function(map) => self
                .names
                .functions
                .extend(map.into_iter().map_while(Result::ok).map(|n| (n.index, n.name))),
            Name::Global(map) => self
                .names
                .globals
                .extend(map.into_iter().map_while(Result::ok).map(|n| (n.index, n.name))),
            _ => {}
        }
    }
}

/// References to a type of the module's own may be to functions.
fn may_hold_functions(table: wasmparser::TableType) -> bool {
    table.element_type.is_func_ref() || table.element_type.is_concrete_type_ref()
}

fn refuse_other_formats(bytes: &[u8]) -> Result<()> {
    if Parser::is_component(bytes) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "this is a WebAssembly component; linmem reads core modules. Extract the core module \
             first, for example with `wasm-tools component unbundle`",
        ));
    }
    if !bytes.starts_with(b"\0asm") {
        let hint = match bytes {
            [] => "the file is empty",
            _ if bytes.trim_ascii_start().starts_with(b"(module") => {
                "this is WebAssembly text; translate it first, for example with `wasm-tools parse`"
            }
            _ => "it does not start with the WebAssembly magic number `\\0asm`",
        };
        return Err(Error::new(ErrorKind::InvalidModule, format!("no WebAssembly module: {hint}")));
    }
    Ok(())
}
