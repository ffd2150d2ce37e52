//! Call stacks that people can read.

use serde::{Deserialize, Serialize};

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
