//! Runtimes that collect garbage: what nothing points to is not lost there.

use crate::module::Module;

/// AssemblyScript's collectors, the incremental one and the minimal one, as its compiler names them.
const OF_ASSEMBLYSCRIPT: [&str; 2] = ["~lib/rt/itcms/", "~lib/rt/tcms/"];

/// What collects garbage in a module, in words: `AssemblyScript's runtime`.
pub(crate) fn collector(module: &Module<'_>) -> Option<&'static str> {
    let mut names = module.names.functions.values();
    let named = names.any(|name| OF_ASSEMBLYSCRIPT.iter().any(|path| name.starts_with(path)));
    let exports = |name: &str| module.exported_functions().any(|(export, _)| export == name);
    (named || exports("__collect") && exports("__pin")).then_some("AssemblyScript's runtime")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assemblyscripts_runtime_is_known_by_its_names_and_by_its_exports() {
        let collected = |text: &str| {
            let wasm = wat::parse_str(text).unwrap();
            collector(&Module::parse(&wasm).unwrap()).is_some()
        };
        assert!(collected(r#"(module (func $"~lib/rt/itcms/__new"))"#));
        assert!(collected(r#"(module (func (export "__collect")) (func (export "__pin")))"#));
        // The runtime that never frees, and others.
        assert!(!collected(r#"(module (func $"~lib/rt/stub/__new"))"#));
        assert!(!collected(r#"(module (func (export "__collect")))"#));
    }
}
