//! A module, read once: bytes in, the facts that every later stage needs out.
//!
//! The module is validated while it is read, so that later stages may rely on every index.
//! Function bodies are decoded here and never again: what matters of them (calls, references,
//! `memory.grow`, `memory.size`) is kept as [`Site`]s with their offsets in the file.

use std::collections::BTreeMap;
use std::ops::Range;

use wasmparser::{
    CompositeInnerType, ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, FuncType,
    KnownCustom, Name, Operator, Parser, Payload, TypeRef, ValType, ValidPayload, Validator,
    WasmFeatures,
};

use crate::error::{Error, ErrorKind, Result};

/// Bytes in a page of linear memory.
pub const PAGE_BYTES: u64 = 65_536;

/// The facts of one core WebAssembly module.
///
/// ```
/// let wasm = wat::parse_str(r#"(module (memory (export "memory") 2 16))"#).unwrap();
/// let module = linmem::Module::parse(&wasm)?;
/// assert_eq!(module.memories[0].initial_pages, 2);
/// # Ok::<(), linmem::Error>(())
/// ```
#[derive(Debug)]
pub struct Module<'a> {
    /// The file itself.
    pub bytes: &'a [u8],
    /// Function types by type index; `None` where the type is no function type.
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
#[derive(Debug, Default)]
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
#[derive(Debug)]
pub struct Function {
    /// Index of its type.
    pub type_index: u32,
    /// Its body; `None` for an imported function.
    pub body: Option<Body>,
}

/// What is kept of a function body.
#[derive(Debug)]
pub struct Body {
    /// The body in the file, local declarations included.
    pub range: Range<usize>,
    /// Where the first instruction starts.
    pub code_start: usize,
    /// Number of groups of local declarations.
    pub local_groups: u32,
    /// Parameters and declared locals together.
    pub locals: u32,
    /// The instructions that matter, in order.
    pub sites: Vec<Site>,
    /// Addresses of the static words that the function loads or stores, sorted, without
    /// repetition: compilers put the address of a static variable into the instruction's offset.
    pub static_words: Vec<u64>,
    /// All constants and offsets that may be addresses of static data, sorted, without repetition.
    pub static_addresses: Vec<u64>,
}

/// No static data lies below this address, while offsets of fields rarely are above it.
const LOWEST_STATIC_ADDRESS: u64 = 1024;

/// One instruction that calls, takes a reference, or asks about a memory's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// Offset of the instruction in the file.
    pub offset: usize,
    /// Length of the instruction in bytes.
    pub len: usize,
    /// What it does.
    pub kind: SiteKind,
}

/// What a [`Site`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteKind {
    /// `call f`
    Call(u32),
    /// `return_call f`
    ReturnCall(u32),
    /// `call_indirect`, `call_ref` or their tail forms, with the index of the function type.
    CallIndirect(u32),
    /// `ref.func f`
    RefFunc(u32),
    /// `memory.grow m`
    MemoryGrow(u32),
    /// `memory.size m`
    MemorySize(u32),
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
    /// Bytes in one page (65,536 but for the custom-page-sizes proposal).
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
}

impl<'a> Module<'a> {
    /// Reads and validates a core module.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidModule`] with the offset and the reason when the bytes are no valid
    /// module, [`ErrorKind::Unsupported`] for a component or a text file.
    pub fn parse(bytes: &'a [u8]) -> Result<Module<'a>> {
        refuse_other_formats(bytes)?;
        let mut module = Module {
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
            names: Names::default(),
            producers: Vec::new(),
            custom_sections: Vec::new(),
            code_section: 0..0,
            function_imports: Vec::new(),
            export_names: BTreeMap::new(),
        };
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        let mut allocations = Default::default();
        let mut next_body = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            match validator.payload(&payload)? {
                ValidPayload::Func(function, body) => {
                    let mut function = function.into_validator(allocations);
                    let index = module.imported_functions() + next_body;
                    module.read_body(index, &body, &mut function)?;
                    allocations = function.into_allocations();
                    next_body += 1;
                }
                _ => module.read_section(payload)?,
            }
        }
        module.address_taken.sort_unstable();
        module.address_taken.dedup();
        // Names may be given to what does not exist.
        let (functions, globals) = (module.functions.len(), module.globals.len());
        module.names.functions.retain(|index, _| (*index as usize) < functions);
        module.names.globals.retain(|index, _| (*index as usize) < globals);
        Ok(module)
    }

    fn read_section(&mut self, payload: Payload<'a>) -> Result<()> {
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
                    self.data.push(DataSegment { address, len: data.data.len() as u64 });
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

    fn read_element(&mut self, element: wasmparser::Element<'a>) -> Result<()> {
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
    fn read_const(&mut self, expression: &ConstExpr<'a>) -> Result<Option<u64>> {
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

    fn read_body(
        &mut self,
        index: u32,
        body: &wasmparser::FunctionBody<'a>,
        validator: &mut wasmparser::FuncValidator<wasmparser::ValidatorResources>,
    ) -> Result<()> {
        let mut locals = body.get_binary_reader();
        validator.read_locals(&mut locals)?;
        let code_start = locals.original_position();
        let mut sites = Vec::new();
        let mut static_words = Vec::new();
        let mut static_addresses = Vec::new();
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let (operator, offset) = reader.read_with_offset()?;
            validator.op(offset, &operator)?;
            let Some(kind) = SiteKind::of(&operator) else {
                let is_static = |address: &u64| *address >= LOWEST_STATIC_ADDRESS;
                static_words.extend(word_offset(&operator).filter(is_static));
                static_addresses.extend(mentioned(&operator).filter(is_static));
                continue;
            };
            if let SiteKind::RefFunc(function) = kind {
                self.address_taken.push(function);
            }
            sites.push(Site { offset, len: reader.original_position() - offset, kind });
        }
        reader.finish()?;
        for addresses in [&mut static_words, &mut static_addresses] {
            addresses.sort_unstable();
            addresses.dedup();
        }
        self.functions[index as usize].body = Some(Body {
            range: body.range(),
            code_start,
            local_groups: body.get_locals_reader()?.get_count(),
            locals: validator.len_locals(),
            sites,
            static_words,
            static_addresses,
        });
        Ok(())
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

    /// Number of imported functions; the first defined function has this index.
    pub fn imported_functions(&self) -> u32 {
        self.function_imports.len() as u32
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

    /// The defined function whose body holds a file offset.
    pub fn function_at(&self, offset: usize) -> Option<u32> {
        let first = self.imported_functions() as usize;
        let bodies = &self.functions[first..];
        let after = bodies
            .partition_point(|f| f.body.as_ref().is_some_and(|body| body.range.start <= offset));
        let index = after.checked_sub(1)?;
        let inside = bodies[index].body.as_ref()?.range.contains(&offset);
        inside.then_some((first + index) as u32)
    }

    /// A custom section's contents.
    pub fn custom_section(&self, name: &str) -> Option<&'a [u8]> {
        self.custom_sections.iter().find(|(n, _)| *n == name).map(|(_, data)| *data)
    }

    /// The lowest address that an active data segment fills.
    pub fn first_data_address(&self) -> Option<u64> {
        self.data.iter().filter(|d| d.len > 0).filter_map(|d| d.address).min()
    }

    /// The address after the last active data segment.
    pub fn data_end(&self) -> Option<u64> {
        self.data.iter().filter_map(|d| d.address?.checked_add(d.len)).max()
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
            (plausible && !self.memories.is_empty()).then_some(first as u32)
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

impl SiteKind {
    fn of(operator: &Operator<'_>) -> Option<SiteKind> {
        Some(match *operator {
            Operator::Call { function_index } => SiteKind::Call(function_index),
            Operator::ReturnCall { function_index } => SiteKind::ReturnCall(function_index),
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. }
            | Operator::CallRef { type_index }
            | Operator::ReturnCallRef { type_index } => SiteKind::CallIndirect(type_index),
            Operator::RefFunc { function_index } => SiteKind::RefFunc(function_index),
            Operator::MemoryGrow { mem } => SiteKind::MemoryGrow(mem),
            Operator::MemorySize { mem } => SiteKind::MemorySize(mem),
            _ => return None,
        })
    }
}

/// References to a type of the module's own may be to functions.
fn may_hold_functions(table: wasmparser::TableType) -> bool {
    table.element_type.is_func_ref() || table.element_type.is_concrete_type_ref()
}

/// The offset in a load or store of a 32-bit word.
fn word_offset(operator: &Operator<'_>) -> Option<u64> {
    match operator {
        Operator::I32Load { memarg } | Operator::I32Store { memarg } => Some(memarg.offset),
        _ => None,
    }
}

/// A constant, or the offset in a load or store.
fn mentioned(operator: &Operator<'_>) -> Option<u64> {
    use Operator::{
        F32Load, F32Store, F64Load, F64Store, I32Const, I32Load, I32Load8S, I32Load8U, I32Load16S,
        I32Load16U, I32Store, I32Store8, I32Store16, I64Const, I64Load, I64Load8S, I64Load8U,
        I64Load16S, I64Load16U, I64Load32S, I64Load32U, I64Store, I64Store8, I64Store16,
        I64Store32, V128Load, V128Store,
    };
    match *operator {
        I32Const { value } => Some(u64::from(value as u32)),
        I64Const { value } => Some(value as u64),
        F32Load { memarg }
        | F32Store { memarg }
        | F64Load { memarg }
        | F64Store { memarg }
        | I32Load { memarg }
        | I32Load8S { memarg }
        | I32Load8U { memarg }
        | I32Load16S { memarg }
        | I32Load16U { memarg }
        | I32Store { memarg }
        | I32Store8 { memarg }
        | I32Store16 { memarg }
        | I64Load { memarg }
        | I64Load8S { memarg }
        | I64Load8U { memarg }
        | I64Load16S { memarg }
        | I64Load16U { memarg }
        | I64Load32S { memarg }
        | I64Load32U { memarg }
        | I64Store { memarg }
        | I64Store8 { memarg }
        | I64Store16 { memarg }
        | I64Store32 { memarg }
        | V128Load { memarg }
        | V128Store { memarg } => Some(memarg.offset),
        _ => None,
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
