//! What the searches for allocators without names read: functions by their type, their calls, and their
//! instructions.

use std::collections::BTreeSet;

use wasmparser::{Operator, TypeRef, ValType};

use super::Role;
use crate::module::{Body, Module, Site, SiteKind};

/// What Emscripten's old compiler imports instead of `memory.size` and `memory.grow`.
const BREAKS: [&str; 2] = ["sbrk", "enlargeMemory"];

/// The functions of a module, as code.
pub(super) struct Functions<'m, 'a>(pub &'m Module<'a>);

impl Functions<'_, '_> {
    /// The functions that the module defines, by number.
    pub fn defined(&self) -> std::ops::Range<u32> {
        self.0.imported_functions()..self.0.functions.len() as u32
    }

    /// Those that have a role's type in a 32-bit memory.
    pub fn with_role_type(&self, role: Role) -> impl Iterator<Item = u32> {
        self.defined().filter(move |&function| self.has_type_of(role, function))
    }

    pub fn has_type_of(&self, role: Role, function: u32) -> bool {
        let ty = self.0.function_type(function);
        ty.is_some_and(|ty| role.fits(ty.params(), ty.results(), ValType::I32))
    }

    /// Whether it has the type of a role that returns an error's number, without that.
    pub fn has_type_without_error(&self, role: Role, function: u32) -> bool {
        let ty = self.0.function_type(function);
        ty.is_some_and(|ty| role.fits_without_error(ty.params(), ty.results(), ValType::I32))
    }

    pub fn body(&self, function: u32) -> Option<&Body> {
        self.0.functions.get(function as usize)?.body.as_ref()
    }

    /// How often one function calls another directly.
    pub fn calls(&self, caller: u32, callee: u32) -> usize {
        self.callees(caller).filter(|called| *called == callee).count()
    }

    /// The functions that a function calls directly, once for each call.
    pub fn callees(&self, caller: u32) -> impl Iterator<Item = u32> {
        let sites = self.body(caller).map_or(&[][..], |body| &body.sites);
        sites.iter().filter_map(|site| match site.kind {
            SiteKind::Call(callee) => Some(callee),
            _ => None,
        })
    }

    pub fn code(&self, function: u32) -> Code<'_> {
        Code(self.operators(function).collect())
    }

    pub fn operators(&self, function: u32) -> impl Iterator<Item = Operator<'_>> {
        self.body(function).into_iter().flat_map(|body| body.operators(self.0.bytes))
    }

    /// The functions that grow memory 0, ask for its size, or have the host do so. Emscripten grows it from JavaScript.
    pub fn askers(&self) -> impl Iterator<Item = u32> {
        let breaks = self.imported_breaks();
        let asks = move |site: &Site| match &site.kind {
            SiteKind::MemoryGrow(0) | SiteKind::MemorySize(0) => true,
            SiteKind::Call(callee) => breaks.contains(callee),
            _ => false,
        };
        self.defined().filter(move |&function| {
            self.body(function).is_some_and(|body| body.sites.iter().any(&asks))
        })
    }

    /// The imported functions that move the end of the heap.
    fn imported_breaks(&self) -> BTreeSet<u32> {
        let imports = self.0.imports.iter();
        let functions = imports.filter(|import| matches!(import.ty, TypeRef::Func(_)));
        let breaks = (0..).zip(functions).filter(|(_, import)| BREAKS.contains(&import.name));
        breaks.map(|(function, _)| function).collect()
    }
}

/// The instructions of a function.
pub(super) struct Code<'a>(pub Vec<Operator<'a>>);

impl<'a> Code<'a> {
    /// Values that are kept in a local on the way are none the less used.
    pub fn without_copies(&self) -> Vec<&Operator<'a>> {
        self.0.iter().filter(|operator| !matches!(operator, Operator::LocalTee { .. })).collect()
    }

    /// Whether something is compared with one of these.
    pub fn compares(&self, values: &[i32]) -> bool {
        self.0.windows(2).any(|two| compares(&two[0], &two[1], values))
    }

    /// Whether it has one of these constants.
    pub fn has(&self, values: &[i32]) -> bool {
        self.0.iter().any(|operator| match operator {
            Operator::I32Const { value } => values.contains(value),
            _ => false,
        })
    }
}

/// Whether two instructions compare what is below them with one of these values, without regard to signs.
pub(super) fn compares(constant: &Operator<'_>, comparison: &Operator<'_>, values: &[i32]) -> bool {
    use Operator::{I32Const, I32GeU, I32GtU, I32LeU, I32LtU};
    matches!((constant, comparison), (I32Const { value }, I32GeU | I32GtU | I32LeU | I32LtU) if values.contains(value))
}
