//! What is watched of a module's allocator, by names.

use serde::{Deserialize, Serialize};

use super::Sentence;
use crate::allocator::{Allocator, Evidence, Role};
use crate::module::symbolize::SourceLines;

/// What was hooked, on what evidence, and what could allocate without being seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Coverage {
    /// The functions that were hooked.
    pub hooked: Vec<HookedFunction>,
    /// Where memory can be had past them.
    pub unseen: Vec<UnseenReport>,
    /// Functions outside the allocator that write what only it should, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strangers: Vec<String>,
    /// Names that were not trusted, and why.
    pub notes: Vec<String>,
    /// Where nothing was hooked: functions that look like `malloc`, by index and name.
    pub candidates: Vec<(u32, String)>,
}

/// A function that was hooked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HookedFunction {
    /// Function index.
    pub function: u32,
    /// Its name.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Why it is taken for that.
    pub evidence: Evidence,
}

/// A way to grow memory that no hook sees as an allocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct UnseenReport {
    /// The function that holds `memory.grow`.
    pub grower: String,
    /// Exports and address-taken functions that lead to it past the hooks.
    pub entries: Vec<String>,
}

impl SourceLines {
    /// Why there are none, and what to do, if there are none.
    pub(crate) fn why_none(self) -> Option<&'static str> {
        let sentence = match self {
            SourceLines::Known => return None,
            SourceLines::NoDebugInformation => Sentence::NoDebugInformation,
            SourceLines::NoAddresses => Sentence::NoAddresses,
            SourceLines::Unfitting => Sentence::OfOtherCode,
        };
        Some(sentence.text())
    }
}

impl Coverage {
    /// Whether all that grows the memory is hooked.
    pub(crate) fn is_whole(&self) -> bool {
        !self.hooked.is_empty() && self.unseen.is_empty()
    }

    /// What is known of an allocator, with names that `name` gives.
    pub(crate) fn of(allocator: &Allocator, name: impl Fn(u32) -> String) -> Coverage {
        let hooked = allocator.functions.iter().map(|hooked| HookedFunction {
            function: hooked.function,
            name: name(hooked.function),
            role: hooked.role,
            evidence: hooked.evidence.clone(),
        });
        let unseen = allocator.unseen.iter().map(|unseen| UnseenReport {
            grower: name(unseen.grower),
            entries: unseen.entries.iter().map(|&entry| name(entry)).collect(),
        });
        Coverage {
            hooked: hooked.collect(),
            unseen: unseen.collect(),
            strangers: allocator.strangers.iter().map(|&stranger| name(stranger)).collect(),
            notes: allocator.notes.clone(),
            candidates: allocator.candidates.iter().map(|&f| (f, name(f))).collect(),
        }
    }
}
