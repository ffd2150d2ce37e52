//! The two results of an analysis as plain data: a [`Report`] for people, and a [`Profile`] with the
//! weights of every call stack that allocates.

mod alike;
mod code;
mod coverage;
mod exports;
mod finding;
mod growth_report;
mod instance;
mod memory;
mod nothing_watched;
mod profile;
mod repeats;
mod sentence;
mod stack;

use serde::{Deserialize, Serialize};

pub use crate::replay::heap::{AskedBy, Extent, Held, Totals};

pub use crate::module::symbolize::SourceLines;
pub(crate) use alike::Alike;
pub use code::Code;
pub(crate) use code::Family;
pub use coverage::{Coverage, HookedFunction, UnseenReport};
pub use exports::{CallsFrom, ExportReport, Kept};
pub(crate) use finding::NO_WORDS;
pub use finding::{Finding, LabelledStack, Remedy, Severity, Words};
pub use growth_report::{GrowthEntry, GrowthReport, GrowthSite, Trend};
pub use instance::InstanceReport;
pub use memory::{HotSite, HotSites, LeakSummary, MemoryReport};
pub use nothing_watched::NothingWatched;
#[cfg(test)]
pub(crate) use nothing_watched::tells_of_unwatched;
pub use profile::{Profile, ProfiledMemory, Site};
pub use repeats::{AfterCall, Repeats, RepeatsRow, Verdict, Witnesses};
pub use sentence::SENTENCES;
pub(crate) use sentence::Sentence;
pub(crate) use stack::folded;
pub use stack::{Stack, StackFrame};

/// What a recorded run did with its memory, and what is wrong with it.
///
/// Its `Display` is the text report without colours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Report {
    /// What the user calls the program.
    pub program: String,
    /// How it ended; `None` if the recording stops before.
    pub end: Option<EndReport>,
    /// Whether the recording stops before the program ended.
    pub truncated: bool,
    /// What the memory's sizes mean, in plain words, where the program asked for them: one answer
    /// for each process or thread that asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// What repeated calls did, one entry for each export that was watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<Repeats>,
    /// What the recorder wants to be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The figures of all memories together.
    pub totals: Totals,
    /// The memories that instances use, in the order in which they were first seen.
    pub memories: Vec<MemoryReport>,
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
#[non_exhaustive]
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

impl Report {
    /// The findings about leaks: definite, indirect, possible and host-held.
    pub fn leaks(&self) -> Vec<&Finding> {
        self.of_family(Family::Leaks)
    }

    /// The findings about misuse of the allocator.
    pub fn misuse(&self) -> Vec<&Finding> {
        self.of_family(Family::Misuse)
    }

    fn of_family(&self, family: Family) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.code.family() == family).collect()
    }

    /// Adds what repeated calls of an export did. If that is wrong, its finding comes first.
    #[must_use]
    pub fn with_repeats(mut self, repeats: Repeats) -> Report {
        let repeats = if self.sees_blocks() { repeats } else { repeats.by_pages_alone() };
        self.findings.splice(0..0, repeats.finding());
        self.repeats.push(repeats);
        self
    }

    /// Whether allocations and frees were all seen, as far as linmem can tell.
    pub(crate) fn sees_blocks(&self) -> bool {
        let withheld = |finding: &Finding| finding.code == Code::AllocationsUnseen;
        !self.findings.iter().any(withheld)
            && (self.totals.allocations > 0
                || self.instances.iter().any(|instance| instance.coverage.is_whole()))
    }

    /// The reports of several processes or threads as one, in their order; `None` if there are none.
    pub fn merge(reports: impl IntoIterator<Item = Report>) -> Option<Report> {
        reports.into_iter().reduce(|mut all, report| {
            let (instances, memories) = (all.instances.len(), all.memories.len());
            let renumbered = report.findings.into_iter().map(|mut finding| {
                finding.instance = finding.instance.saturating_add(instances);
                finding
            });
            all.findings.extend(renumbered);
            all.findings.sort_by_key(|finding| finding.severity);
            all.answers.extend(report.answers);
            all.repeats.extend(report.repeats);
            all.notes.extend(report.notes);
            if all.program.is_empty() {
                all.program = report.program;
            }
            all.end = all.end.or(report.end);
            all.truncated |= report.truncated;
            all.totals = all.totals.and(report.totals);
            all.memories.extend(report.memories.into_iter().map(|mut memory| {
                let users = memory.users.iter_mut();
                users.for_each(|user| *user = user.saturating_add(instances));
                memory
            }));
            all.instances.extend(report.instances.into_iter().map(|mut instance| {
                instance.memory = instance.memory.saturating_add(memories);
                instance
            }));
            all.events += report.events;
            all.micros = all.micros.max(report.micros);
            all
        })
    }

    /// Names of the modules whose instances use a memory, each once.
    pub(crate) fn modules_of(&self, memory: &MemoryReport) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for instance in memory.users.iter().filter_map(|&user| self.instances.get(user)) {
            let name = &*instance.module;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Whether anything is wrong: there is a finding of severity [`Severity::Error`].
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeats(export: &str, verdict: Verdict) -> Repeats {
        Repeats {
            export: export.to_owned(),
            calls: 16,
            allocations: 16,
            verdict,
            of_pages: verdict,
            sees_blocks: true,
            failure: None,
            before: AfterCall::default(),
            rows: Vec::new(),
        }
    }

    #[test]
    fn merged_reports_keep_all_answers_and_repeats() {
        let one = Report { answers: vec!["first".to_owned()], ..Report::default() };
        let one = one.with_repeats(repeats("parse", Verdict::Steady { after_call: 2 }));
        let two = Report { answers: vec!["second".to_owned()], ..Report::default() };
        let two = two.with_repeats(repeats("format", Verdict::Steady { after_call: 1 }));
        let all = Report::merge([one, two]).unwrap();
        assert_eq!(all.answers, ["first", "second"]);
        let exports: Vec<_> = all.repeats.iter().map(|repeats| &*repeats.export).collect();
        assert_eq!(exports, ["parse", "format"]);
        assert!(Report::merge([]).is_none());
    }

    #[test]
    fn a_call_that_keeps_growing_comes_first() {
        let report = Report { findings: vec![Finding::new(Code::DoubleFree)], ..Report::default() };
        let steady = report.with_repeats(repeats("parse", Verdict::Steady { after_call: 1 }));
        assert_eq!(steady.findings.len(), 1);
        let growing = Verdict::Growing { live_bytes_per_call: 8.0, pages_per_call: 0.0 };
        let growing = steady.with_repeats(repeats("format", growing));
        let codes: Vec<_> = growing.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::KeepsGrowing, Code::DoubleFree]);
        assert_eq!(growing.misuse().len(), 1);
    }
}
