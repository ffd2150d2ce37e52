//! Which functions belong to the language's runtime: the way a program ended is judged by them.

use std::collections::BTreeSet;

use super::main_function::has_main_function;
use crate::module::{Module, SiteKind};

/// The functions of a C or Rust runtime that stand between `_start` and `proc_exit` when `main`
/// has already returned.
const RUNTIME_FRAMES: &[&str] = &[
    "_start",
    "_Exit",
    "exit",
    "__wasi_proc_exit",
    "proc_exit",
    "__imported_wasi_snapshot_preview1_proc_exit",
];

/// What the way a program ended is judged by.
pub(crate) struct RuntimeFrames {
    /// The functions of the runtime. None where `main` has no function of its own, since it may be inlined into one of
    /// these.
    functions: BTreeSet<u32>,
    /// Where `_start` itself calls `proc_exit` and after that nothing: its index, and the offset of the call.
    last_call: Option<(u32, usize)>,
}

impl RuntimeFrames {
    /// Finds them by their names.
    pub(crate) fn of(module: &Module<'_>) -> RuntimeFrames {
        let last_call = last_call(module);
        if !has_main_function(module) {
            return RuntimeFrames { functions: BTreeSet::new(), last_call };
        }
        let of_runtime = |name: &str| {
            // `wasm-ld` exports a command's functions through functions of its own.
            RUNTIME_FRAMES.contains(&name.strip_suffix(".command_export").unwrap_or(name))
        };
        let runtime = module.names.functions.iter().filter(|(_, name)| of_runtime(name));
        RuntimeFrames { functions: runtime.map(|(function, _)| *function).collect(), last_call }
    }

    /// Whether a stack with these frames (function, offset of the call) is one in which `main` has returned.
    pub(crate) fn are_all_of(&self, frames: &[(u32, Option<u32>)]) -> bool {
        match *frames {
            [(function, Some(offset))] if self.last_call == Some((function, offset as usize)) => {
                true
            }
            _ => frames.iter().all(|(function, _)| self.functions.contains(function)),
        }
    }
}

/// The call of `proc_exit` with which `_start` ends: if `main` was inlined there, it has returned.
fn last_call(module: &Module<'_>) -> Option<(u32, usize)> {
    let mut exports = module.exported_functions();
    let (_, start) = exports.find(|(name, _)| *name == "_start")?;
    let last = module.functions.get(start as usize)?.body.as_ref()?.sites.last()?;
    let SiteKind::Call(callee) = last.kind else { return None };
    let exits = module.is_of_wasi(callee)
        && module.function_import(callee).is_some_and(|import| import.name == "proc_exit");
    exits.then_some((start, last.offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a program with this `_start` has returned from `main` where it calls `proc_exit` for the nth time.
    fn has_returned(code: &str, nth: usize) -> bool {
        let text = format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                 (func $work) (func (export "_start") {code}))"#
        );
        let wasm = wat::parse_str(text).unwrap();
        let module = Module::parse(&wasm).unwrap();
        let sites = &module.functions[2].body.as_ref().unwrap().sites;
        let exits: Vec<_> = sites.iter().filter(|site| site.kind == SiteKind::Call(0)).collect();
        RuntimeFrames::of(&module).are_all_of(&[(2, Some(exits[nth].offset as u32))])
    }

    #[test]
    fn start_ends_with_the_call_of_proc_exit() {
        assert!(has_returned("(call $work) (call $exit (i32.const 1)) unreachable", 0));
        assert!(!has_returned("(call $exit (i32.const 1)) (call $work)", 0), "more follows");
        let twice = "(call $exit (i32.const 1)) (call $exit (i32.const 0))";
        assert!(!has_returned(twice, 0) && has_returned(twice, 1));
    }
}
