//! What tests read in a module themselves, without linmem.
#![allow(dead_code, reason = "each test uses a part")]

use std::collections::BTreeMap;

use wasmparser::{
    BinaryReaderError, CompositeInnerType, ExternalKind, FuncType, FunctionBody, KnownCustom,
    MemoryType, Name, Parser, Payload, TypeRef,
};

/// A module that is known to be valid.
#[derive(Debug, Default)]
pub struct Binary<'a> {
    /// By type index; `None` where the type is not a function's.
    types: Vec<Option<FuncType>>,
    /// The index of each function's type, imported functions first.
    functions: Vec<u32>,
    /// Number of imported functions.
    pub imported: usize,
    /// The memories, imported ones first.
    pub memories: Vec<MemoryType>,
    /// The bodies of the functions that are not imported.
    pub bodies: Vec<FunctionBody<'a>>,
    /// The exported functions.
    pub exports: Vec<(&'a str, u32)>,
    /// The functions' names in the name section.
    pub names: BTreeMap<u32, &'a str>,
    /// Where the code section ends in the file.
    pub code_end: usize,
}

impl<'a> Binary<'a> {
    /// Reads a module.
    pub fn read(wasm: &'a [u8]) -> Result<Binary<'a>, BinaryReaderError> {
        let mut binary = Binary::default();
        for payload in Parser::new(0).parse_all(wasm) {
            binary.take_in(payload?)?;
        }
        Ok(binary)
    }

    fn take_in(&mut self, payload: Payload<'a>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.types.extend(group?.types().map(|ty| match &ty.composite_type.inner {
                        CompositeInnerType::Func(ty) => Some(ty.clone()),
                        _ => None,
                    }));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    match import?.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => self.functions.push(ty),
                        TypeRef::Memory(ty) => self.memories.push(ty),
                        _ => {}
                    }
                }
                self.imported = self.functions.len();
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.functions.push(ty?);
                }
            }
            Payload::MemorySection(section) => {
                for ty in section {
                    self.memories.push(ty?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact) {
                        self.exports.push((export.name, export.index));
                    }
                }
            }
            Payload::CodeSectionStart { range, .. } => self.code_end = range.end,
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::CustomSection(section) => {
                let KnownCustom::Name(names) = section.as_known() else { return Ok(()) };
                for name in names.into_iter().map_while(Result::ok) {
                    if let Name::Function(map) = name {
                        let named = map.into_iter().map_while(Result::ok);
                        self.names.extend(named.map(|naming| (naming.index, naming.name)));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Number of functions, imported ones included.
    pub fn functions(&self) -> u32 {
        self.functions.len() as u32
    }

    /// The type of a function.
    pub fn function_type(&self, function: u32) -> Option<&FuncType> {
        let ty = *self.functions.get(function as usize)?;
        self.types.get(ty as usize)?.as_ref()
    }

    /// The body of a function; `None` for an imported one.
    pub fn body(&self, function: u32) -> Option<&FunctionBody<'a>> {
        self.bodies.get((function as usize).checked_sub(self.imported)?)
    }

    /// The function of an export.
    pub fn export(&self, name: &str) -> Option<u32> {
        self.exports.iter().find(|(export, _)| *export == name).map(|(_, function)| *function)
    }
}
