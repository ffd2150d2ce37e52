//! Findings from a recorded run: one file per analysis, each a function from the replayed trace
//! to plain data.
//!
//! - [`leaks`]: which live blocks nothing points to
//! - [`misuse`]: double frees, invalid frees, wrong sizes, overlapping blocks
//! - [`failures`]: allocations that returned NULL, and whether the program noticed
//! - [`growth`]: who grew the memory, and whether it came to rest
//! - [`diagnose`]: what the sizes mean that a host read of its memories
//! - [`repeats`]: whether the same call again and again comes to rest
//! - [`hot_sites`]: where most allocations, bytes and temporary blocks come from

pub mod diagnose;
pub mod failures;
pub mod growth;
pub mod hot_sites;
pub mod leaks;
pub mod misuse;
pub mod repeats;

use std::io::Read;

use crate::allocator::{Allocator, Evidence};
use crate::error::Result;
use crate::module::Module;
use crate::replay::{End, RecordedInstance, RecordedModule, Replay};
use crate::report::{Coverage, EndReport, InstanceReport, Report};
use crate::symbolize::Symbolizer;
use crate::trace::{Reader, Trace};

use crate::report::stacks::Stacks;

/// What an analysis may be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Hot sites to list in each category.
    pub hot_sites: usize,
    /// Files with debug information, by the number of their module.
    pub debug_files: Vec<Option<Vec<u8>>>,
}

impl Default for Options {
    fn default() -> Options {
        Options { hot_sites: 5, debug_files: Vec::new() }
    }
}

/// One instance, and all that is known about it: what an analysis looks at.
pub struct Subject<'a> {
    /// Its number.
    pub number: usize,
    /// What it did.
    pub instance: &'a RecordedInstance,
    /// What it is an instance of.
    pub module: &'a Module<'a>,
    /// What was hooked.
    pub recorded: &'a RecordedModule,
    /// What follows from these two, for all instances alike.
    pub facts: &'a Facts,
    /// The whole recording.
    pub replay: &'a Replay,
    /// Turns contexts into stacks that people can read.
    pub stacks: &'a Stacks<'a>,
}

impl Subject<'_> {
    /// What the host calls an exported function.
    fn export_name(&self, function: u32) -> String {
        let name = self.module.export_name(function);
        name.map_or_else(|| format!("function {function}"), str::to_owned)
    }

    /// Whether blocks may be allocated, freed or resized unseen. Names tell every function of an allocator;
    /// exports alone may leave some out.
    fn sees_a_part(&self) -> bool {
        let allocator = &self.recorded.allocator;
        let named =
            |evidence: &Evidence| matches!(evidence, Evidence::NameSection(_) | Evidence::Dwarf(_));
        !allocator.resizing.is_empty()
            || !allocator.unseen.is_empty()
                && !allocator.functions.iter().any(|f| named(&f.evidence))
    }
}

/// What is known of a module and its allocator, whatever an instance did.
pub struct Facts {
    has_lines: bool,
    coverage: Coverage,
    leaks: leaks::Facts,
}

impl Facts {
    fn new(module: &Module<'_>, allocator: &Allocator, symbols: &Symbolizer<'_>) -> Facts {
        Facts {
            has_lines: symbols.has_lines(),
            coverage: Coverage::of(allocator, |function| symbols.function_name(function)),
            leaks: leaks::Facts::new(module, allocator),
        }
    }
}

/// Analyses a recording.
///
/// # Errors
///
/// [`ErrorKind::InvalidTrace`](crate::ErrorKind::InvalidTrace) when it is damaged. A trace that
/// ends early is not damaged; [`Report::truncated`] says so.
///
/// See [`crate::wasmtime::Run`] for an example.
pub fn analyze(trace: &Trace) -> Result<Report> {
    analyze_stream(trace.as_bytes(), &Options::default())
}

/// Analyses a recording while it arrives: from a file, or from a run that is still going on.
///
/// # Errors
///
/// As for [`analyze`], and [`ErrorKind::Io`](crate::ErrorKind::Io) when the source fails.
pub fn analyze_stream(source: impl Read, options: &Options) -> Result<Report> {
    analyze_stream_with(source, options, |_| {})
}

/// Records between two calls of a progress function.
const PROGRESS_EVERY: u64 = 1 << 14;

/// Like [`analyze_stream`]; `progress` sees what has been replayed so far, every now and then.
///
/// # Errors
///
/// As for [`analyze_stream`].
pub fn analyze_stream_with(
    source: impl Read,
    options: &Options,
    mut progress: impl FnMut(&Replay),
) -> Result<Report> {
    let mut reader = Reader::new(source);
    let mut replay = Replay::default();
    for (record, number) in reader.by_ref().zip(1..) {
        replay.apply(record?)?;
        if number % PROGRESS_EVERY == 0 {
            progress(&replay);
        }
    }
    replay.truncated = reader.is_truncated() || replay.end.is_none();
    analyze_replay(&replay, options)
}

/// Analyses what has been replayed so far.
///
/// # Errors
///
/// [`ErrorKind::InvalidModule`](crate::ErrorKind::InvalidModule) when a module of the trace is
/// damaged.
pub fn analyze_replay(replay: &Replay, options: &Options) -> Result<Report> {
    let modules =
        replay.modules.iter().map(|m| Module::parse(&m.bytes)).collect::<Result<Vec<_>>>()?;
    let symbols: Vec<Symbolizer<'_>> = modules
        .iter()
        .enumerate()
        .map(|(number, module)| {
            let external = options.debug_files.get(number).and_then(|file| file.as_deref());
            Symbolizer::new(module, external)
        })
        .collect();
    let known = modules.iter().zip(&replay.modules).zip(&symbols);
    let facts: Vec<Facts> = known
        .map(|((module, recorded), symbols)| Facts::new(module, &recorded.allocator, symbols))
        .collect();
    let mut report = Report {
        program: replay.modules.first().map(|m| m.name.clone()).unwrap_or_default(),
        end: None,
        totals: replay.totals(),
        truncated: replay.truncated,
        events: replay.events,
        micros: replay.micros,
        notes: replay.host.notes.clone(),
        ..Report::default()
    };
    for (number, instance) in replay.instances.iter().enumerate() {
        let stacks = Stacks::new(replay, &symbols[instance.module]);
        let subject = Subject {
            number,
            instance,
            module: &modules[instance.module],
            recorded: &replay.modules[instance.module],
            facts: &facts[instance.module],
            replay,
            stacks: &stacks,
        };
        report.findings.extend(misuse::findings(&subject));
        report.findings.extend(failures::findings(&subject));
        let leaks = leaks::find(&subject);
        report.findings.extend(leaks::findings(&subject, &leaks));
        report.end = report.end.or_else(|| end_report(replay, &stacks));
        report.instances.push(describe(&subject, leaks, options));
    }
    let host_stack = |context| match symbols.first() {
        Some(symbols) => Stacks::new(replay, symbols).of(context),
        None => Vec::new(),
    };
    report.findings.extend(diagnose::findings(replay, host_stack));
    report.answer = diagnose::answer(replay, &report.findings);
    // Worst first; within a severity, misuse before leaks, as found.
    report.findings.sort_by_key(|finding| finding.severity);
    Ok(report)
}

fn describe(subject: &Subject<'_>, leaks: leaks::Leaks, options: &Options) -> InstanceReport {
    InstanceReport {
        module: subject.recorded.name.clone(),
        created: subject.instance.created.map(|context| subject.stacks.of(context)),
        totals: subject.instance.heap.totals(),
        initial_pages: subject.instance.initial_pages,
        max_pages: subject.instance.max_pages,
        other_memories: subject.module.memories.len().saturating_sub(1),
        has_lines: subject.facts.has_lines,
        leaks: leaks.summary(),
        growth: growth::describe(subject),
        hot_sites: hot_sites::rank(subject, options.hot_sites),
        calls: calls(subject),
        coverage: subject.facts.coverage.clone(),
    }
}

fn calls(subject: &Subject<'_>) -> Vec<(String, u64)> {
    let calls = subject.instance.calls.iter();
    calls.map(|&(function, times)| (subject.export_name(function), times)).collect()
}

fn end_report(replay: &Replay, stacks: &Stacks<'_>) -> Option<EndReport> {
    Some(match replay.end.as_ref()? {
        End::Exit(code) => EndReport::Exit { code: *code },
        End::Trap { message, frames } => {
            EndReport::Trap { message: message.clone(), stack: stacks.resolve(frames) }
        }
    })
}
