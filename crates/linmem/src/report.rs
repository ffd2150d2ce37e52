//! The plain data of a report, and one file per output format.

mod coverage;
mod repeats;
mod stack;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::replay::heap::{Held, Totals};

pub use coverage::{Coverage, HookedFunction, UnseenReport};
pub use repeats::{AfterCall, Repeats, RepeatsRow, Verdict, Witnesses};
pub use stack::{Stack, StackFrame};

/// What a recorded run did with its memory, and what is wrong with it.
///
/// Its `Display` is the text report without colours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// What the user calls the program.
    pub program: String,
    /// How it ended; `None` if the recording stops before.
    pub end: Option<EndReport>,
    /// Whether the recording stops before the program ended.
    pub truncated: bool,
    /// What the memory's sizes mean, in plain words, where the program asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// What repeated calls of one export did, if that is what was watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeats>,
    /// What the recorder wants to be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The figures of all instances together.
    pub totals: Totals,
    /// The instances, in the order of their creation.
    pub instances: Vec<InstanceReport>,
    /// Heap events in the recording.
    pub events: u64,
    /// Length of the recording in microseconds.
    pub micros: u64,
}

/// How the program ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum EndReport {
    /// It returned or exited.
    Exit {
        /// Its exit code.
        code: i32,
    },
    /// It trapped.
    Trap {
        /// The engine's words.
        message: String,
        /// Where.
        stack: Stack,
    },
}

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What it is; stable across versions.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// Number of the instance that it is about.
    pub instance: usize,
    /// One sentence with the numbers in it.
    pub message: String,
    /// The numbers, by name.
    pub numbers: BTreeMap<String, u64>,
    /// The stacks, each with what happened there.
    pub stacks: Vec<LabelledStack>,
    /// One sentence of advice.
    pub advice: String,
}

/// A stack with what happened there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelledStack {
    /// What happened there, for example `allocated`.
    pub label: String,
    /// Where.
    pub stack: Stack,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Wrong.
    Error,
    /// Probably wrong.
    Warning,
    /// Worth knowing.
    Note,
}

/// What a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A block was freed twice.
    DoubleFree,
    /// What was freed is no block.
    InvalidFree,
    /// A freed block was reallocated.
    ReallocOfFreed,
    /// What was reallocated is no block.
    InvalidRealloc,
    /// A block was freed or reallocated with another size than it has.
    WrongSize,
    /// A block was freed or reallocated with another alignment than it was allocated with.
    WrongAlignment,
    /// The allocator handed out memory that is part of a live block.
    Overlap,
    /// A call that was repeated failed.
    CallFailed,
    /// Memory or live bytes keep growing when a call is repeated.
    KeepsGrowing,
    /// A view that an earlier growth had detached was used.
    StaleView,
    /// The three who can know a memory's size disagree.
    WitnessesDisagree,
    /// The memory whose size was read belongs to an instance that did nothing, while others did.
    WatchedIdleInstance,
    /// The memory's size was read before the work was done.
    MeasuredTooEarly,
    /// The memory whose size was read is not the one that the instances use.
    ForeignMemory,
    /// Each call had an instance of its own.
    InstancePerCall,
    /// Blocks were allocated where others had been, so the memory need not grow.
    Reused,
    /// The memory had room from the start, so it need not grow.
    RoomToSpare,
    /// Pages that nothing uses any more.
    GrewAndHeld,
    /// An allocation failed and memory near NULL was written afterwards.
    NullIgnored,
    /// An allocation failed.
    AllocationFailed,
    /// Blocks that nothing points to.
    LeakDefinite,
    /// Blocks that only lost blocks point to.
    LeakIndirect,
    /// Blocks that only interior pointers point to.
    LeakPossible,
    /// Blocks that exports returned to the host and that nothing in the guest points to.
    LeakHostHeld,
    /// Blocks that were alive at the end and are still pointed to.
    StillReachable,
    /// Blocks were alive when the program trapped, so nobody can say whether they leak.
    NotJudged,
}

impl Code {
    /// The code as reports write it, for example `leak-definite`.
    pub fn name(self) -> &'static str {
        match self {
            Code::DoubleFree => "double-free",
            Code::InvalidFree => "invalid-free",
            Code::ReallocOfFreed => "realloc-of-freed",
            Code::InvalidRealloc => "invalid-realloc",
            Code::WrongSize => "wrong-size",
            Code::WrongAlignment => "wrong-alignment",
            Code::Overlap => "overlap",
            Code::CallFailed => "call-failed",
            Code::KeepsGrowing => "keeps-growing",
            Code::StaleView => "stale-view",
            Code::WitnessesDisagree => "witnesses-disagree",
            Code::WatchedIdleInstance => "watched-idle-instance",
            Code::MeasuredTooEarly => "measured-too-early",
            Code::ForeignMemory => "foreign-memory",
            Code::InstancePerCall => "instance-per-call",
            Code::Reused => "reused",
            Code::RoomToSpare => "room-to-spare",
            Code::GrewAndHeld => "grew-and-held",
            Code::NullIgnored => "null-ignored",
            Code::AllocationFailed => "allocation-failed",
            Code::LeakDefinite => "leak-definite",
            Code::LeakIndirect => "leak-indirect",
            Code::LeakPossible => "leak-possible",
            Code::LeakHostHeld => "leak-host-held",
            Code::StillReachable => "still-reachable",
            Code::NotJudged => "not-judged",
        }
    }

    pub(crate) fn is_leak(self) -> bool {
        matches!(
            self,
            Code::LeakDefinite | Code::LeakIndirect | Code::LeakPossible | Code::LeakHostHeld
        )
    }

    fn is_misuse(self) -> bool {
        self <= Code::Overlap
    }
}

/// What one instance did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceReport {
    /// Name of its module.
    pub module: String,
    /// Where the host created it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Stack>,
    /// Its figures.
    pub totals: Totals,
    /// Pages at the start.
    pub initial_pages: u64,
    /// Pages it may grow to at most, if that is limited.
    pub max_pages: Option<u64>,
    /// Memories beside memory 0, which are not watched.
    pub other_memories: usize,
    /// Whether the module has debug information that gives source lines.
    pub has_lines: bool,
    /// Live blocks at the end, by kind.
    pub leaks: LeakSummary,
    /// How the memory grew.
    pub growth: GrowthReport,
    /// Where allocations come from.
    pub hot_sites: HotSites,
    /// Calls of exports: name and number.
    pub calls: Vec<(String, u64)>,
    /// What was hooked, and what was not.
    pub coverage: Coverage,
}

/// Live blocks at the end, by kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Something points to them.
    pub reachable: Held,
    /// Allocated by the language's start-up code for the whole run.
    pub runtime: Held,
}

/// How the memory grew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
pub struct GrowthEntry {
    /// Pages before.
    pub pages_before: u64,
    /// Pages after, or `None` if it was refused.
    pub pages_after: Option<u64>,
    /// Pages asked for.
    pub delta_pages: u64,
    /// Whether an allocator function asked.
    pub in_allocator: bool,
    /// Live bytes at that time.
    pub live_bytes: u64,
    /// Allocations made before.
    pub allocations: u64,
    /// Bytes of the allocation that it was done for.
    pub request: Option<u64>,
    /// Index of its stack in [`GrowthReport::sites`].
    pub site: usize,
}

/// Where allocations come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

impl Report {
    /// The findings about leaks: definite, indirect, possible and host-held.
    pub fn leaks(&self) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.code.is_leak()).collect()
    }

    /// The findings about misuse of the allocator.
    pub fn misuse(&self) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.code.is_misuse()).collect()
    }

    /// The reports of several processes or threads as one, in their order; `None` if there are none.
    pub fn merge(reports: impl IntoIterator<Item = Report>) -> Option<Report> {
        reports.into_iter().reduce(|mut all, report| {
            let before = all.instances.len();
            let renumbered = report.findings.into_iter().map(|mut finding| {
                finding.instance += before;
                finding
            });
            all.findings.extend(renumbered);
            all.findings.sort_by_key(|finding| finding.severity);
            all.answer = all.answer.or(report.answer);
            all.notes.extend(report.notes);
            all.end = all.end.or(report.end);
            all.truncated |= report.truncated;
            all.totals = all.totals.and(report.totals);
            all.instances.extend(report.instances);
            all.events += report.events;
            all.micros = all.micros.max(report.micros);
            all
        })
    }

    /// Number of findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Whether anything is wrong: there is a finding of severity [`Severity::Error`].
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }
}
