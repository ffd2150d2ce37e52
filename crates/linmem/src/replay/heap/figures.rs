//! What a heap did, in figures. All of them have defined instants.
//!
//! *In all* counts from the start to now. *At peak* is the first instant at which the live bytes were at
//! their highest. *At end* is the last event. Lifetimes are counted in allocations made meanwhile, which
//! does not depend on the machine.

use serde::{Deserialize, Serialize};

/// Blocks and bytes at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Extent {
    /// Number of live blocks.
    pub blocks: u64,
    /// Sum of their sizes.
    pub bytes: u64,
    /// Size of the memory.
    pub pages: u64,
}

/// What an instance's heap did in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Totals {
    /// Successful allocations, reallocations of NULL included.
    pub allocations: u64,
    /// Successful reallocations of a block.
    pub reallocations: u64,
    /// Blocks freed, by reallocation to size 0 too.
    pub frees: u64,
    /// Allocations and reallocations of at least one byte that returned NULL.
    pub failed: u64,
    /// Bytes asked for by all successful allocations and reallocations.
    pub allocated_bytes: u64,
    /// Blocks freed before any other allocation was made.
    pub temporary: u64,
    /// Allocations at an address where a block had been before.
    pub reused: u64,
    /// When the live bytes were at their highest.
    pub at_peak: Extent,
    /// At the last event.
    pub at_end: Extent,
}

impl Totals {
    /// The figures of two heaps together. What was live at peak is that of the one with the higher
    /// peak, since they had theirs at different times.
    #[must_use]
    pub(crate) fn and(mut self, other: Totals) -> Totals {
        self.allocations += other.allocations;
        self.reallocations += other.reallocations;
        self.frees += other.frees;
        self.failed += other.failed;
        self.allocated_bytes = self.allocated_bytes.saturating_add(other.allocated_bytes);
        self.temporary += other.temporary;
        self.reused += other.reused;
        self.at_end.blocks += other.at_end.blocks;
        self.at_end.bytes = self.at_end.bytes.saturating_add(other.at_end.bytes);
        self.at_end.pages = self.at_end.pages.saturating_add(other.at_end.pages);
        if other.at_peak.bytes >= self.at_peak.bytes {
            self.at_peak = other.at_peak;
        }
        self
    }
}

/// What one context's allocations did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SiteTotals {
    /// Successful allocations and reallocations.
    pub allocations: u64,
    /// Bytes they asked for.
    pub bytes: u64,
    /// Blocks freed before any other allocation was made.
    pub temporary: u64,
    /// The serial number of the last of its blocks.
    pub last: u64,
    /// Blocks alive now.
    pub live: Held,
    /// Blocks alive at the peak of the whole heap.
    pub(super) at_peak: Held,
    /// The peak that `at_peak` is about.
    pub(super) peak: u64,
    /// Sum of the lifetimes of the blocks that are gone, in allocations.
    pub lifetime: u64,
}

/// Blocks and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Number of blocks.
    pub blocks: u64,
    /// Sum of their sizes.
    pub bytes: u64,
}

impl std::ops::AddAssign for Held {
    fn add_assign(&mut self, other: Held) {
        self.blocks = self.blocks.saturating_add(other.blocks);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// What became of the blocks that an exported function returned to the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Returned {
    /// Blocks that it returned.
    pub blocks: u64,
    /// How many of them were freed, or moved elsewhere by a reallocation.
    pub freed: u64,
}
