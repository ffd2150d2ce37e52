//! What a report says of one memory.

use serde::{Deserialize, Serialize};

use super::{ExportReport, GrowthReport, Held, Stack, Totals};

/// What was done in one memory, by whoever uses it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MemoryReport {
    /// Numbers of the instances that use it as their memory 0.
    pub users: Vec<usize>,
    /// Its figures.
    pub totals: Totals,
    /// Pages at the start.
    pub initial_pages: u64,
    /// Pages it may grow to at most, if that is limited.
    pub max_pages: Option<u64>,
    /// Live blocks at the end, by kind.
    pub leaks: LeakSummary,
    /// How it grew.
    pub growth: GrowthReport,
    /// Exported functions of which pages or blocks are left, most bytes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<ExportReport>,
    /// Where allocations come from.
    pub hot_sites: HotSites,
}

impl MemoryReport {
    /// Why what is left in it was not judged, if something is left and was not.
    pub(crate) fn not_judged(&self) -> Option<&str> {
        let reason = self.leaks.not_judged.as_deref();
        reason.filter(|_| self.totals.at_end.blocks > 0)
    }
}

/// Live blocks at the end, by kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LeakSummary {
    /// Why nothing could be judged, if so; then all is counted as reachable.
    pub not_judged: Option<String>,
    /// Nothing points to them.
    pub definite: Held,
    /// Only lost blocks point to them.
    pub indirect: Held,
    /// Only interior pointers point to them.
    pub possible: Held,
    /// The host has their addresses.
    pub host_held: Held,
    /// Finalizers are to free them, or what leads to them.
    #[serde(default)]
    pub finalizer_held: Held,
    /// Nothing in the memory points to them, but locals of other threads may.
    #[serde(default)]
    pub thread_held: Held,
    /// Nothing in the memory points to them, but locals of calls that never returned may.
    #[serde(default)]
    pub frame_held: Held,
    /// Something points to them.
    pub reachable: Held,
    /// Allocated by the language's start-up code for the whole run.
    pub runtime: Held,
}

/// Where allocations come from: the top of the [`Profile`](super::Profile), in five orders.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HotSites {
    /// Most allocations.
    pub allocations: Vec<HotSite>,
    /// Most bytes.
    pub bytes: Vec<HotSite>,
    /// Most bytes live at the peak.
    pub at_peak: Vec<HotSite>,
    /// Most blocks freed before any other allocation was made.
    pub temporary: Vec<HotSite>,
    /// Longest mean lifetime.
    pub longest_lived: Vec<HotSite>,
}

/// One call stack that allocates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HotSite {
    /// Allocations and reallocations.
    pub allocations: u64,
    /// Bytes they asked for.
    pub bytes: u64,
    /// Blocks freed before any other allocation was made.
    pub temporary: u64,
    /// Its blocks at the peak of the whole heap.
    pub at_peak: Held,
    /// Its blocks at the end.
    pub at_end: Held,
    /// Mean lifetime of its blocks, in allocations made meanwhile; blocks still alive count to
    /// the end.
    pub mean_lifetime: u64,
    /// Where.
    pub stack: Stack,
}
