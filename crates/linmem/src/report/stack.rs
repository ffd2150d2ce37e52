//! Call stacks that people can read.

use serde::{Deserialize, Serialize};

use crate::language::is_library;

/// A call stack, innermost frame first. Empty if it was not taken.
pub type Stack = Vec<StackFrame>;

/// One frame of a stack; an inlined function has a frame of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StackFrame {
    /// Function name, demangled.
    pub function: String,
    /// Source file, as the compiler wrote it down.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// Offset of the instruction in the original file, where there is no line.
    pub offset: Option<u32>,
    /// Whether this function was inlined into the next frame's.
    pub inlined: bool,
}

/// Which frames of a stack are folded where people read it: those of the language's libraries, except the innermost
/// frame. A stack of such frames alone is shown in full.
pub(crate) fn folded(stack: &[StackFrame]) -> Vec<bool> {
    let of_library = |frame: &StackFrame| is_library(&frame.function, frame.file.as_deref());
    if stack.iter().skip(1).all(of_library) {
        return vec![false; stack.len()];
    }
    let frames = stack.iter().enumerate();
    frames.map(|(index, frame)| index > 0 && of_library(frame)).collect()
}
