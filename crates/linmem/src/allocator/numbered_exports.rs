//! wasm-bindgen exports what its glue needs under numbers where names are taken away: `__wbindgen_export_0`,
//! `__wbindgen_export2`. Which of these allocate is told by their types and by what they lead to: closures are called through a
//! table, and only an allocator grows the memory.

use std::collections::BTreeSet;

use super::Role;
use super::discover::growers;
use crate::module::{CallGraph, Module, SiteKind};

/// The exports under numbers that allocate and free, with their roles; none where that is not certain.
pub(super) fn search<'m>(
    module: &'m Module<'_>,
    graph: &CallGraph,
    fits: impl Fn(Role, u32) -> bool,
) -> Vec<(&'m str, u32, Role)> {
    let numbered: Vec<(&str, u32)> =
        module.exported_functions().filter(|(name, _)| is_numbered(name)).collect();
    let growing = graph.reaching(growers(module));
    // Closures are called where their glue is. What the allocator calls may panic, which goes through tables, too.
    let calls_back = |function: usize| {
        let mut sites = module.functions[function].body.iter().flat_map(|body| &body.sites);
        sites.any(|site| matches!(site.kind, SiteKind::CallIndirect(_)))
    };
    let only = |role: Role, is_meant: &dyn Fn(usize) -> bool| {
        let is_one = |&&(_, f): &&(&str, u32)| fits(role, f) && is_meant(f as usize);
        let functions: BTreeSet<u32> = numbered.iter().filter(is_one).map(|(_, f)| *f).collect();
        let (&function, true) = (functions.first()?, functions.len() == 1) else { return None };
        let (name, _) = numbered.iter().find(|(_, f)| *f == function)?;
        Some((*name, function, role))
    };
    let allocates = |function: usize| growing[function] && !calls_back(function);
    let frees = |function: usize| !calls_back(function);
    let (Some(malloc), Some(free)) =
        (only(Role::RustAlloc, &allocates), only(Role::RustDealloc, &frees))
    else {
        return Vec::new();
    };
    let realloc = only(Role::WbindgenRealloc, &allocates);
    [malloc, free].into_iter().chain(realloc).collect()
}

/// Versions of wasm-bindgen differ in the `_`, and the first number may be left out.
fn is_numbered(name: &str) -> bool {
    let number = name.strip_prefix("__wbindgen_export");
    let digits = number.map(|number| number.strip_prefix('_').unwrap_or(number));
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::Role;
    use crate::Prepared;

    /// An allocator that only its exports name, and closures of the same types.
    fn module(malloc: &str, free: &str, more: &str) -> String {
        format!(
            r#"(module (memory 1) (table 1 funcref) (type $invoke (func (param i32 i32 i32)))
                 (type $answer (func (param i32 i32) (result i32)))
                 (func $malloc (param i32 i32) (result i32) (memory.grow (i32.const 1)))
                 (func $free (param i32 i32 i32) (i32.store (local.get 0) (local.get 1)))
                 (func (export "{malloc}") (param i32 i32) (result i32)
                   (i32.add (i32.const 8) (call $malloc (local.get 0) (local.get 1))))
                 (func (export "__wbindgen_export_1") (param i32 i32 i32 i32) (result i32)
                   (i32.add (i32.const 8) (call $malloc (local.get 2) (local.get 3))))
                 (func (export "{free}") (param i32 i32 i32)
                   (call $free (local.get 0) (local.get 1) (i32.const 8)))
                 (func (export "__wbindgen_export_3") (param i32 i32 i32)
                   (call_indirect (type $invoke)
                     (local.get 0) (local.get 1) (local.get 2) (i32.const 0)))
                 (func (export "__wbindgen_export_4") (param i32 i32) (result i32)
                   (call_indirect (type $answer) (local.get 0) (local.get 1) (i32.const 0)))
                 (func (export "__wbindgen_export_5") (param i32 i32) (result i32) (local.get 0))
                 {more})"#
        )
    }

    fn roles(module: &str) -> Vec<Role> {
        let wasm = wat::parse_str(module).unwrap();
        let prepared = Prepared::new(&wasm, &Vec::new(), None).unwrap();
        prepared.allocator().functions.iter().map(|function| function.role).collect()
    }

    #[test]
    fn what_allocates_is_told_from_closures() {
        let all = [Role::RustAlloc, Role::RustDealloc, Role::WbindgenRealloc];
        assert_eq!(roles(&module("__wbindgen_export_0", "__wbindgen_export_2", "")), all);
        assert_eq!(roles(&module("__wbindgen_export", "__wbindgen_export2", "")), all);
    }

    #[test]
    fn what_is_not_certain_is_not_hooked() {
        let hooked = |malloc, free, more| roles(&module(malloc, free, more));
        let another_free = r#"(func (export "__wbindgen_export_6") (param i32 i32 i32))"#;
        let another_malloc = r#"(func (export "__wbindgen_export_6") (param i32 i32) (result i32)
            (call $malloc (local.get 0) (i32.const 8)))"#;
        let none: [Role; 0] = [];
        assert_eq!(hooked("__wbindgen_export_0", "__wbindgen_export_2", another_free), none);
        assert_eq!(hooked("__wbindgen_export_0", "__wbindgen_export_2", another_malloc), none);
        assert_eq!(hooked("__wbindgen_export_0", "other", ""), none, "nothing frees");
        assert_eq!(hooked("__wbindgen_exported", "__wbindgen_export_2", ""), none);
    }
}
