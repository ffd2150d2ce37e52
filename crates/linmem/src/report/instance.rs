//! What a report says of one instance.

use serde::{Deserialize, Serialize};

use super::{Coverage, Stack};
use crate::module::symbolize::SourceLines;

/// What one instance did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct InstanceReport {
    /// Name of its module.
    pub module: String,
    /// Where the host created it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Stack>,
    /// Number of its memory in [`Report::memories`](super::Report::memories).
    pub memory: usize,
    /// Memories beside memory 0, which are not watched.
    pub other_memories: usize,
    /// Whether the module has debug information that gives source lines.
    pub source_lines: SourceLines,
    /// Calls of exports: name and number.
    pub calls: Vec<(String, u64)>,
    /// What was hooked, and what was not.
    pub coverage: Coverage,
}
