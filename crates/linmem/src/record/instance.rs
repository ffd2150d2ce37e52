//! An instance as a recorder knows it.

use super::calls::Calls;
use super::entries::Entries;

/// An instance of a recording.
pub(super) struct Instance {
    /// Number of its module.
    pub(super) module: usize,
    /// Number of its memory 0.
    pub(super) memory: usize,
    /// Whether its module only imports the allocator's functions.
    pub(super) imports_allocator: bool,
    pub(super) calls: Calls,
    pub(super) entries: Entries,
    /// The size that a reallocation under way asks for.
    pub(super) new_size: u64,
}

impl Instance {
    /// One of which nothing happened yet.
    pub(super) fn new(module: usize, memory: usize, imports_allocator: bool) -> Instance {
        let (calls, entries) = (Calls::default(), Entries::default());
        Instance { module, memory, imports_allocator, calls, entries, new_size: 0 }
    }
}
