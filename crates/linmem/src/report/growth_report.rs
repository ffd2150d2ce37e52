//! What a report says of a memory's growth.

use serde::{Deserialize, Serialize};

use super::{AskedBy, Stack};

/// How the memory grew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GrowthReport {
    /// Growths that succeeded.
    pub growths: u64,
    /// Growths that were refused.
    pub refused: u64,
    /// Whether the memory came to rest.
    pub trend: Trend,
    /// Each growth, grouped by stack, most pages first.
    pub sites: Vec<GrowthSite>,
    /// Each growth, in order.
    pub log: Vec<GrowthEntry>,
}

/// Whether the memory came to rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
#[non_exhaustive]
pub enum Trend {
    /// It never grew.
    NeverGrew,
    /// At least half of all allocations came after the last growth.
    Steady {
        /// Allocations before the last growth.
        after_allocations: u64,
        /// All allocations.
        of_allocations: u64,
    },
    /// It was still growing.
    Growing {
        /// Allocations before the last growth.
        after_allocations: u64,
        /// All allocations.
        of_allocations: u64,
    },
}

/// Growths with the same stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GrowthSite {
    /// Number of growths.
    pub growths: u64,
    /// Pages they asked for.
    pub pages: u64,
    /// Where.
    pub stack: Stack,
}

/// One growth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GrowthEntry {
    /// Pages before.
    pub pages_before: u64,
    /// Pages after, or `None` if it was refused.
    pub pages_after: Option<u64>,
    /// Pages asked for.
    pub delta_pages: u64,
    /// What asked for it.
    pub asked_by: AskedBy,
    /// Live bytes at that time.
    pub live_bytes: u64,
    /// Allocations made before.
    pub allocations: u64,
    /// Bytes of the allocation that it was done for.
    pub request: Option<u64>,
    /// Index of its stack in [`GrowthReport::sites`].
    pub site: usize,
}
