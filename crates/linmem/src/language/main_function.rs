//! Which function a program's `main` is compiled to. Compilers and C libraries give it other names, which differ with its
//! parameters, and put functions around it that have such names too.

use crate::module::symbolize::demangle;
use crate::module::{Module, SiteKind};

/// What the user's `main` may be called, or what is around it. `__main_argc_argv`, which is always the user's, is shown as
/// `main` already.
const NAMES: [&str; 3] = ["main", "__original_main", "__main_void"];

/// The user's `main`: of the functions with these names, the one that calls no other.
pub(crate) fn main_function(module: &Module<'_>) -> Option<u32> {
    let named: Vec<u32> = named(module).collect();
    let calls_another = |function: u32| {
        let body = module.functions.get(function as usize).and_then(|f| f.body.as_ref());
        body.is_some_and(|body| {
            body.sites.iter().any(|site| match site.kind {
                SiteKind::Call(callee) | SiteKind::ReturnCall(callee) => {
                    callee != function && named.contains(&callee)
                }
                _ => false,
            })
        })
    };
    let mut innermost = named.iter().copied().filter(|&function| !calls_another(function));
    let only = innermost.next()?;
    innermost.next().is_none().then_some(only)
}

/// Whether a function is `main`, or one around it: so it was not put into another one.
pub(crate) fn has_main_function(module: &Module<'_>) -> bool {
    named(module).next().is_some()
}

fn named(module: &Module<'_>) -> impl Iterator<Item = u32> {
    // A large module has many names, and demangling takes time.
    let names = module.names.functions.iter().filter(|(_, name)| name.contains("main"));
    names.filter(|(_, name)| NAMES.contains(&&*demangle(name))).map(|(&function, _)| function)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name section's name of the function that is taken for `main`.
    fn main_of(functions: &str) -> Option<String> {
        let wasm = wat::parse_str(format!("(module {functions})")).unwrap();
        let module = Module::parse(&wasm).unwrap();
        main_function(&module).map(|function| module.names.functions[&function].to_owned())
    }

    #[test]
    fn the_innermost_of_the_functions_around_it_is_the_users() {
        let of = |functions| main_of(functions).unwrap();
        // wasi-libc calls a `main` with parameters from functions of its own.
        let with_arguments = "(func $main) (func $__original_main call $main)
            (func $__main_void call $__original_main) (func $_start call $__main_void)";
        assert_eq!(of(with_arguments), "main");
        // Emscripten calls a `main` without parameters from one with.
        assert_eq!(
            of("(func $__original_main) (func $main call $__original_main)"),
            "__original_main"
        );
        assert_eq!(
            of("(func $__original_main) (func $_start call $__original_main)"),
            "__original_main"
        );
        assert_eq!(
            of("(func $__main_void return_call $__main_argc_argv) (func $__main_argc_argv)"),
            "__main_argc_argv"
        );
        assert_eq!(of("(func $_Z4mainiPPc) (func $__main_void call $_Z4mainiPPc)"), "_Z4mainiPPc");
        assert_eq!(of("(func $main call $main)"), "main", "it may call itself");
    }

    #[test]
    fn where_it_cannot_be_told_there_is_none() {
        assert_eq!(main_of("(func $work) (func $_ZN3app4mainEv)"), None);
        assert_eq!(main_of("(func $main) (func $__main_void)"), None);
        assert_eq!(main_of("(func $main call $__main_void) (func $__main_void call $main)"), None);
    }
}
