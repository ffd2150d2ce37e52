//! Which functions belong to the language's runtime: the way a program ended is judged by them.

use std::collections::BTreeSet;

use crate::module::Module;

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

/// What the user's `main` is compiled to.
const MAIN_FRAMES: &[&str] = &["main", "__main_void", "__main_argc_argv", "__original_main"];

/// The functions that the way a program ended is judged by: those of the runtime. None where `main`
/// has no function of its own, since it may be inlined into one of these.
pub(crate) struct RuntimeFrames(BTreeSet<u32>);

impl RuntimeFrames {
    /// Finds them by their names.
    pub(crate) fn of(module: &Module<'_>) -> RuntimeFrames {
        let names = &module.names.functions;
        if !names.values().any(|name| MAIN_FRAMES.contains(name)) {
            return RuntimeFrames(BTreeSet::new());
        }
        let of_runtime = |name: &str| {
            // `wasm-ld` exports a command's functions through functions of its own.
            RUNTIME_FRAMES.contains(&name.strip_suffix(".command_export").unwrap_or(name))
        };
        let runtime = names.iter().filter(|(_, name)| of_runtime(name));
        RuntimeFrames(runtime.map(|(function, _)| *function).collect())
    }

    /// Whether a function belongs to the runtime.
    pub(crate) fn contains(&self, function: u32) -> bool {
        self.0.contains(&function)
    }
}
