//! Which functions belong to the language's runtime: the way a program ended is judged by them.

use std::collections::BTreeSet;

use crate::module::Module;
use crate::trace::Frame;

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

/// Names of the functions that the way a program ended is judged by: those of the runtime. None
/// where `main` has no function of its own, since it may be inlined into one of these.
pub(super) struct FrameNames(BTreeSet<u32>);

impl FrameNames {
    pub(super) fn new(module: &Module<'_>) -> FrameNames {
        let names = &module.names.functions;
        if !names.values().any(|name| MAIN_FRAMES.contains(name)) {
            return FrameNames(BTreeSet::new());
        }
        let of_runtime = |name: &str| {
            // `wasm-ld` exports a command's functions through functions of its own.
            RUNTIME_FRAMES.contains(&name.strip_suffix(".command_export").unwrap_or(name))
        };
        let runtime = names.iter().filter(|(_, name)| of_runtime(name));
        FrameNames(runtime.map(|(function, _)| *function).collect())
    }

    /// Whether any frame is not of the runtime: code that still has pointers in its locals.
    pub(super) fn user_frame_in(&self, frames: &[Frame]) -> bool {
        frames.iter().any(|frame| match frame {
            Frame::Wasm { function, .. } => !self.0.contains(function),
            Frame::Host(_) => false,
        })
    }
}
