//! What a report says of an exported function that kept memory.

use serde::{Deserialize, Serialize};

use super::Held;

/// An exported function that was called repeatedly, and of whose calls pages or blocks are left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ExportReport {
    /// What the host calls it.
    pub name: String,
    /// How often the host called it.
    pub calls: u64,
    /// From where, of the calls that were looked at: not all are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<CallsFrom>,
    /// Pages that the memory grew by in these calls.
    pub pages: u64,
    /// Blocks that were allocated in these calls and are alive at the end.
    pub left: Held,
    /// Whether calls went on to keep memory.
    pub kept: Kept,
}

/// Calls from a line of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CallsFrom {
    /// The innermost line of the host's code that is not a package's.
    pub line: String,
    /// How many of the calls that were looked at came from there.
    pub calls: u64,
}

/// Whether calls of a function went on to keep memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kept {
    /// Blocks of all parts of the recording are left, or the memory grew in late calls as in early ones.
    MoreAndMore,
    /// Calls went on for as long again after the last block that is left and the last growth.
    NoMore,
    /// Neither was seen.
    Unknown,
}
