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

impl StackFrame {
    /// Whether it belongs to one of the language's libraries.
    pub(crate) fn is_library(&self) -> bool {
        is_library(&self.function, self.file.as_deref())
    }
}

/// Which frames of a stack are folded where people read it, given which are those of the language's libraries: these,
/// except the innermost frame. A stack of such frames alone is shown in full.
pub(crate) fn folded(mut of_library: Vec<bool>) -> Vec<bool> {
    if of_library.iter().skip(1).all(|&is_library| is_library) {
        of_library.fill(false);
    } else if let Some(innermost) = of_library.first_mut() {
        *innermost = false;
    }
    of_library
}
