//! What of a module's allocator is watched, by names, and how that reads.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::allocator::{Allocator, Evidence, Role};
use crate::units::{count, escape};

/// What was hooked, on what evidence, and what could allocate without being seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// The functions that were hooked.
    pub hooked: Vec<HookedFunction>,
    /// Where memory can be had past them.
    pub unseen: Vec<UnseenReport>,
    /// Names that were not trusted, and why.
    pub notes: Vec<String>,
    /// Where nothing was hooked: functions that look like `malloc`, by index and name.
    pub candidates: Vec<(u32, String)>,
}

/// A function that was hooked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
pub struct UnseenReport {
    /// The function that holds `memory.grow`.
    pub grower: String,
    /// Exports and address-taken functions that lead to it past the hooks.
    pub entries: Vec<String>,
}

impl Coverage {
    /// What is known of an allocator, with names that `name` gives.
    pub fn of(allocator: &Allocator, name: impl Fn(u32) -> String) -> Coverage {
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
            notes: allocator.notes.clone(),
            candidates: allocator.candidates.iter().map(|&f| (f, name(f))).collect(),
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for HookedFunction { function, name, role, evidence } in &self.hooked {
            let text = escape(&format!("function {function} ({name}), {evidence}"));
            writeln!(f, "  {:<15} {text}", role.name())?;
        }
        if self.hooked.is_empty() {
            writeln!(f, "  none: the module does not say which functions allocate")?;
        }
        if !self.candidates.is_empty() {
            let list: Vec<String> =
                self.candidates.iter().map(|(index, name)| format!("{index} ({name})")).collect();
            let list = escape(&list.join(", "));
            writeln!(f, "  could be malloc, most called first: {list}; try --malloc INDEX")?;
        }
        for UnseenReport { grower, entries } in &self.unseen {
            let entries = match entries.len() {
                0..=4 => entries.join(", "),
                more => format!("{} and {} more", entries[..4].join(", "), count(more as u64 - 4)),
            };
            let (grower, entries) = (escape(grower), escape(&entries));
            writeln!(f, "  not seen: {grower} can grow the memory past these, from {entries}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  {}", escape(note)))
    }
}
