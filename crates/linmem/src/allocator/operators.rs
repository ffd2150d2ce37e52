//! C++'s operators. Mostly `new` calls `malloc`, which is hooked. mimalloc's `new` takes its blocks from where its `malloc`
//! does instead, and its `delete` puts small ones back there.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::ValType;

use super::{Effect, Evidence, Role};
use crate::module::symbolize::demangle;
use crate::module::{CallGraph, Module};

/// The operators that do not call the functions that were found, with their roles. Where every `new` leads to one of those
/// functions there is nothing to add: also no `delete`.
pub(super) fn search(
    module: &Module<'_>,
    graph: &CallGraph,
    found: &BTreeMap<u32, (Role, Evidence)>,
    fits: impl Fn(Role, u32) -> bool,
) -> BTreeMap<u32, (Role, Evidence)> {
    let mut operators = BTreeMap::new();
    let exports = module
        .exported_functions()
        .map(|(name, function)| (function, name, Evidence::Export(name.to_owned())));
    let names = module.names.functions.iter();
    let names = names.map(|(&f, &name)| (f, name, Evidence::NameSection(name.to_owned())));
    for (function, name, evidence) in exports.chain(names) {
        let role = role_of(name).filter(|role| fits(*role, function));
        if let Some(role) = role.filter(|_| !found.contains_key(&function)) {
            operators.entry(function).or_insert((role, evidence));
        }
    }
    let allocates = |role: Role| role.effect() == Effect::Allocates;
    let found_allocating =
        || found.iter().filter(|(_, (role, _))| allocates(*role)).map(|(f, _)| *f);
    let defined = |function: u32| (function as usize) < module.functions.len();
    let leading = graph.reaching_past(found_allocating(), |node| !defined(node));
    // What `malloc` has its blocks from. `calloc` also calls `memset`.
    let returns_address = |function: &u32| {
        let results = module.function_type(*function).map(|ty| ty.results());
        matches!(results, Some([ValType::I32 | ValType::I64]))
    };
    let plain = found.iter().filter(|(_, (role, _))| {
        matches!(
            role,
            Role::Malloc | Role::AlignedAlloc | Role::PosixMemalign | Role::FixedMemalign
        )
    });
    let sources: BTreeSet<u32> = plain
        .flat_map(|(function, _)| graph.successors(*function).iter().copied())
        .filter(|&callee| defined(callee) && callee >= module.imported_functions())
        .filter(returns_address)
        .collect();
    operators.retain(|&function, (role, _)| {
        let shares = || graph.successors(function).iter().any(|callee| sources.contains(callee));
        !allocates(*role) || !leading[function as usize] && shares()
    });
    if !operators.values().any(|(role, _)| allocates(*role)) {
        operators.clear();
    }
    operators
}

/// What the operator of this name does, mangled or not. Those that take more than a function of a known role does are left:
/// they call the others.
fn role_of(name: &str) -> Option<Role> {
    let name = demangle(name);
    let (operator, parameters) = name.strip_suffix(')')?.split_once('(')?;
    let parameters: Vec<&str> = parameters
        .split(", ")
        .map(|parameter| match parameter {
            "unsigned int" | "unsigned long" | "unsigned long long" => "size",
            other => other,
        })
        .collect();
    match (operator, &parameters[..]) {
        ("operator new" | "operator new[]", ["size"]) => Some(Role::Malloc),
        ("operator new" | "operator new[]", ["size", "std::nothrow_t const&"]) => {
            Some(Role::NothrowNew)
        }
        ("operator new" | "operator new[]", ["size", "std::align_val_t"]) => Some(Role::RustAlloc),
        ("operator delete" | "operator delete[]", ["void*"]) => Some(Role::Free),
        ("operator delete" | "operator delete[]", ["void*", "size"]) => Some(Role::SizedFree),
        ("operator delete" | "operator delete[]", ["void*", "size", "std::align_val_t"]) => {
            Some(Role::RustDealloc)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Role;
    use crate::Prepared;

    /// The roles of the functions that are hooked of a module with `malloc`, `free`, an operator `new` with this code, and `delete`.
    fn hooked(new: &str) -> Vec<Role> {
        let text = format!(
            r#"(module (memory 1)
                 (func $slow (param i32) (result i32) (memory.grow (local.get 0)))
                 (func $fail)
                 (func $malloc (export "malloc") (param i32) (result i32) (call $fail)
                   (call $slow (i32.add (local.get 0) (i32.const 8))))
                 (func $free (export "free") (param i32))
                 (func $_Znwm (param i32) (result i32) {new})
                 (func $_ZnwmRKSt9nothrow_t (export "f") (param i32 i32) (result i32) (call $_Znwm (local.get 0)))
                 (func $_ZdlPvm (export "_ZdlPvm") (param i32 i32)
                   (if (i32.gt_u (local.get 1) (i32.const 512)) (then (call $free (local.get 0))))))"#
        );
        let bytes = wat::parse_str(text).unwrap();
        let prepared = Prepared::new(&bytes, &Vec::new(), None).unwrap();
        prepared.allocator().functions.iter().map(|hooked| hooked.role).collect()
    }

    #[test]
    fn operators_that_allocate_as_malloc_does_are_hooked() {
        let own = hooked("(call $slow (local.get 0))");
        assert_eq!(own, [Role::Malloc, Role::Malloc, Role::Free, Role::SizedFree]);
    }

    #[test]
    fn operators_that_call_malloc_or_have_memory_of_their_own_are_not() {
        assert_eq!(hooked("(call $malloc (local.get 0))"), [Role::Malloc, Role::Free]);
        assert_eq!(hooked("(call $fail) (i32.const 4096)"), [Role::Malloc, Role::Free]);
    }

    #[test]
    fn a_role_is_known_by_the_parameters() {
        let roles = [
            ("_Znaj", Some(Role::Malloc)),
            ("operator new(unsigned long)", Some(Role::Malloc)),
            ("_ZnwmRKSt9nothrow_t", Some(Role::NothrowNew)),
            ("_ZnwmSt11align_val_t", Some(Role::RustAlloc)),
            ("_ZnwmSt11align_val_tRKSt9nothrow_t", None),
            ("_ZdaPv", Some(Role::Free)),
            ("_ZdlPvmSt11align_val_t", Some(Role::RustDealloc)),
            ("operator newer(unsigned long)", None),
            ("_ZN3FoonwEm", None),
        ];
        for (name, role) in roles {
            assert_eq!(super::role_of(name), role, "{name}");
        }
    }
}
