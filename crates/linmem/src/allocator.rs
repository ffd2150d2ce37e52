//! Which functions of a module allocate and free, on what evidence, and what is not covered.
//!
//! A module says nowhere "this is malloc". The ladder, strongest evidence first: what the user
//! says, exported names, the name section, DWARF subprograms, the code of a known allocator. A name
//! only counts when the function's type fits the role.
//!
//! - `role`: what allocator functions do
//! - `names`: the names that they go by
//! - `discover`: the search
//! - `above`: exports that do their work with an allocator that is known by its code
//! - `operators`: C++'s, where they allocate past `malloc`
//! - `strangers`: other code that writes what an allocator keeps to itself
//! - `dlmalloc`, `emmalloc`: allocators that are known by their code; another one is another such file, and a
//!   line in `KNOWN_BY_CODE`
//! - `code`, `values`: what these read

mod above;
mod code;
mod discover;
mod dlmalloc;
mod emmalloc;
mod names;
#[cfg(test)]
mod notes_tests;
mod numbered_exports;
mod operators;
mod role;
mod strangers;
mod values;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::module::{CallGraph, Module};

pub use role::Role;
pub(crate) use role::{Effect, Param};
pub(crate) use strangers::constructors;

/// The allocators that are known by their code, where no names are left. The first that finds something is
/// the module's.
const KNOWN_BY_CODE: [SearchByCode; 2] = [emmalloc::search, dlmalloc::search];

/// Looks for the functions of one allocator, given those that the user names.
type SearchByCode =
    fn(&Module<'_>, &CallGraph, &dyn Fn(Role) -> Option<u32>) -> Option<KnownByCode>;

/// What was found of an allocator that is known by its code.
struct KnownByCode {
    /// What it is called.
    name: &'static str,
    /// Its functions.
    functions: Vec<(u32, Role)>,
    /// Other functions into which the compiler has put `realloc`.
    resizing: Vec<u32>,
    /// Other functions into which it has put `memalign`.
    aligning: Vec<u32>,
    /// Functions that set up the allocator before the program runs.
    set_up: Vec<u32>,
}

/// Why a function is taken for an allocator function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "name")]
pub enum Evidence {
    /// The user said so.
    Flag,
    /// It is exported under this name.
    Export(String),
    /// The export of this name only passes its arguments on to it.
    ForwardedExport(String),
    /// The name section calls it so.
    NameSection(String),
    /// DWARF calls it so.
    Dwarf(String),
    /// Its code is that of this allocator.
    Shape(String),
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Flag => write!(f, "named by the user"),
            Evidence::Export(name) => write!(f, "exported as `{name}`"),
            Evidence::ForwardedExport(name) => {
                write!(f, "export `{name}` only passes its arguments on to it")
            }
            Evidence::NameSection(name) => write!(f, "named `{name}` in the name section"),
            Evidence::Dwarf(name) => write!(f, "named `{name}` in the debug information"),
            Evidence::Shape(name) => write!(f, "has the shape of {name}'s"),
        }
    }
}

/// The word in front of each block of an allocator that is known by its code, in 32-bit memories: how large the block is,
/// with flags in the lowest bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The bits that do not count for the size.
    flags: u64,
    /// Bytes that the size counts and the block has not.
    overhead: u64,
}

impl Header {
    /// Size of the word.
    pub(crate) const BYTES: u64 = 4;

    /// What a block is not resized by without need: sizes are rounded up by less.
    pub(crate) const ROUNDED_BY: u64 = 16;

    /// A chunk of dlmalloc overlaps the next one's first word.
    const DLMALLOC: Header = Header { flags: 7, overhead: 4 };

    /// A region of emmalloc has its size at both ends.
    const EMMALLOC: Header = Header { flags: 3, overhead: 8 };

    /// The bytes of a block with this word in front of it.
    pub(crate) fn block_bytes(self, word: u64) -> u64 {
        (word & !self.flags).saturating_sub(self.overhead)
    }
}

/// One function that is hooked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AllocatorFunction {
    /// Its function index.
    pub function: u32,
    /// What it does.
    pub role: Role,
    /// Why it is taken for that.
    pub evidence: Evidence,
}

/// The allocator of a module, as far as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allocator {
    /// The functions to hook, by role and then by index; no function appears twice.
    pub functions: Vec<AllocatorFunction>,
    /// Where pages can be asked for past the hooked functions.
    pub unseen: Vec<Unseen>,
    /// Names that were not trusted, and why.
    pub notes: Vec<String>,
    /// Where nothing was found: functions that look like `malloc`, most likely first.
    pub candidates: Vec<u32>,
    /// Functions into which the compiler has put `realloc`: what becomes of a block that they resize
    /// where it is, is not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resizing: Vec<u32>,
    /// Functions into which the compiler has put `memalign`: they give out a part of a block that they allocate, and what
    /// becomes of the part is not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aligning: Vec<u32>,
    /// Functions outside the allocator that write what only it should, so that blocks may be allocated and
    /// freed there unseen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strangers: Vec<u32>,
    /// Functions that free or reallocate, where none was found that allocates what they are given: they are not hooked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lonely: Vec<u32>,
    /// Where the allocator keeps what it remembers, at fixed addresses: the words that it reads and writes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<u64>,
    /// Functions that set up the allocator before the program runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_up: Vec<u32>,
    /// Bytes that exported functions put before each block that they hand out, so that its owner points behind them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub put_before: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A way to grow memory that no hook sees as an allocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unseen {
    /// The function that holds `memory.grow`.
    pub grower: u32,
    /// Functions that reach it without passing a hook; the ones nearest to an export or a table.
    pub entries: Vec<u32>,
}

/// Which functions the user says allocate: `(role, name or index)`.
pub type Hints = Vec<(Role, String)>;

/// Whether a module grows memory 0, asks for its size, or has the host do so.
pub(crate) fn asks_for_memory(module: &Module<'_>) -> bool {
    code::Functions(module).askers().next().is_some()
}

impl Allocator {
    /// The functions to hook.
    pub(crate) fn hooked(&self) -> BTreeSet<u32> {
        self.functions.iter().map(|hooked| hooked.function).collect()
    }

    /// Whether no block can be allocated, freed or resized past the hooks.
    pub(crate) fn sees_all(&self) -> bool {
        self.resizing.is_empty()
            && self.aligning.is_empty()
            && self.strangers.is_empty()
            && self.unseen.is_empty()
    }

    /// What stands in front of blocks, if the allocator is known by its code.
    pub(crate) fn header(&self) -> Option<Header> {
        let shape = self.functions.iter().find_map(|hooked| match &hooked.evidence {
            Evidence::Shape(name) => Some(name.as_str()),
            _ => None,
        });
        match shape {
            Some(emmalloc::NAME) => Some(Header::EMMALLOC),
            Some(_) => Some(Header::DLMALLOC),
            // The user has named all functions but those into which `realloc` was put.
            None => (!self.resizing.is_empty()).then_some(Header::DLMALLOC),
        }
    }
}
