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
pub(crate) mod stacks;

use std::io::{self, Read};

use crate::allocator::Evidence;
use crate::error::Result;
use crate::module::Module;
use crate::prepared::Prepared;
use crate::replay::heap::Totals;
use crate::replay::{End, RecordedInstance, RecordedModule, Replay};
use crate::report::{Coverage, EndReport, InstanceReport, Report};
use crate::trace::{Reader, Trace};

use stacks::Stacks;

/// What an analysis may be told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Hot sites to list in each category.
    pub hot_sites: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { hot_sites: 5 }
    }
}

/// An analysis of a recording that may still be going on: bytes of a trace in, in pieces of any size,
/// reports out. It holds what was live, not the recording.
///
/// ```
/// # let trace = linmem::Trace::from_bytes(b"linmem\0\x01\x0b\x00".to_vec());
/// let mut analysis = linmem::Analysis::default();
/// for piece in trace.as_bytes().chunks(3) {
///     analysis.push(piece)?;
/// }
/// assert!(analysis.is_over());
/// let report = analysis.finish().report()?;
/// assert!(report.findings.is_empty());
/// # Ok::<(), linmem::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Analysis {
    reader: Reader<Pending>,
    replay: Replay,
    options: Options,
}

impl Analysis {
    /// Before the first byte.
    pub fn new(options: Options) -> Analysis {
        Analysis { options, ..Analysis::default() }
    }

    /// Takes in the next bytes of the trace.
    ///
    /// # Errors
    ///
    /// [`InvalidTrace`](crate::ErrorKind::InvalidTrace) when the trace is damaged.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.reader.source().push(bytes);
        for record in &mut self.reader {
            self.replay.apply(record?)?;
        }
        Ok(())
    }

    /// Whether the program has ended, so that nothing more is to come that matters.
    pub fn is_over(&self) -> bool {
        self.replay.end.is_some()
    }

    /// Heap events so far.
    pub fn events(&self) -> u64 {
        self.replay.events
    }

    /// The figures of all instances so far.
    pub fn totals(&self) -> Totals {
        self.replay.totals()
    }

    /// Says that nothing more will come. Where the program has not ended by then, reports say that the
    /// recording stops.
    #[must_use]
    pub fn finish(mut self) -> Analysis {
        self.replay.truncated = self.reader.is_truncated() || self.replay.end.is_none();
        self
    }

    /// What there is to say so far.
    ///
    /// # Errors
    ///
    /// [`InvalidModule`](crate::ErrorKind::InvalidModule) when a module of the trace is damaged.
    pub fn report(&self) -> Result<Report> {
        let modules = self.replay.modules.iter();
        let modules = modules
            .map(|module| Prepared::recorded(&module.bytes, &module.allocator, None))
            .collect::<Result<Vec<_>>>()?;
        Ok(report(&self.replay, &modules, &self.options))
    }

    /// The same, for a recording of one module that the caller has prepared, so that it is not read
    /// again.
    ///
    /// # Errors
    ///
    /// As for [`report`](Analysis::report), where the recording is of other modules.
    pub fn report_on(&self, prepared: &Prepared<'_>) -> Result<Report> {
        match &self.replay.modules[..] {
            [only] if only.bytes == prepared.wasm() => {
                Ok(report(&self.replay, std::slice::from_ref(prepared), &self.options))
            }
            _ => self.report(),
        }
    }
}

/// Bytes that have arrived and are not read yet.
#[derive(Debug, Default)]
pub struct Pending {
    bytes: Vec<u8>,
    read: usize,
}

impl Pending {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }
}

impl Read for Pending {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.bytes[self.read..]).read(buffer)?;
        self.read += count;
        Ok(count)
    }
}

/// One instance, and all that is known about it: what an analysis looks at.
pub struct Subject<'a, 'm> {
    /// Its number.
    pub number: usize,
    /// What it did.
    pub instance: &'a RecordedInstance,
    /// What it is an instance of.
    pub module: &'a Module<'m>,
    /// What was hooked.
    pub recorded: &'a RecordedModule,
    /// What follows from these two, for all instances alike.
    pub facts: &'a Facts,
    /// The whole recording.
    pub replay: &'a Replay,
    /// Turns contexts into stacks that people can read.
    pub stacks: &'a Stacks<'a, 'm>,
}

impl Subject<'_, '_> {
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
    fn new(prepared: &Prepared<'_>) -> Facts {
        Facts {
            has_lines: prepared.has_lines(),
            coverage: Coverage::of(prepared.allocator(), |f| prepared.function_name(f)),
            leaks: leaks::Facts::new(prepared),
        }
    }
}

/// Analyses a recording.
///
/// # Errors
///
/// [`InvalidTrace`](crate::ErrorKind::InvalidTrace) when it is damaged. A trace that ends early is not
/// damaged; [`Report::truncated`] says so.
pub fn analyze(trace: &Trace) -> Result<Report> {
    analyze_stream(trace.as_bytes(), &Options::default())
}

/// Analyses a recording in a file, or whatever else can be read.
///
/// # Errors
///
/// As for [`analyze`], and [`Io`](crate::ErrorKind::Io) when the source fails.
pub fn analyze_stream(mut source: impl Read, options: &Options) -> Result<Report> {
    let mut analysis = Analysis::new(options.clone());
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match source.read(&mut chunk)? {
            0 => return analysis.finish().report(),
            count => analysis.push(&chunk[..count])?,
        }
    }
}

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

fn report(replay: &Replay, modules: &[Prepared<'_>], options: &Options) -> Report {
    let facts: Vec<Facts> = modules.iter().map(Facts::new).collect();
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
        let stacks = Stacks::new(replay, &modules[instance.module]);
        let subject = Subject {
            number,
            instance,
            module: &modules[instance.module].module,
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
    let host_stack = |context| match modules.first() {
        Some(prepared) => Stacks::new(replay, prepared).of(context),
        None => Vec::new(),
    };
    report.findings.extend(diagnose::findings(replay, host_stack));
    report.answer = diagnose::answer(replay, &report.findings);
    // Worst first; within a severity, misuse before leaks, as found.
    report.findings.sort_by_key(|finding| finding.severity);
    report
}

fn describe(subject: &Subject<'_, '_>, leaks: leaks::Leaks, options: &Options) -> InstanceReport {
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

fn calls(subject: &Subject<'_, '_>) -> Vec<(String, u64)> {
    let calls = subject.instance.calls.iter();
    calls.map(|&(function, times)| (subject.export_name(function), times)).collect()
}

fn end_report(replay: &Replay, stacks: &Stacks<'_, '_>) -> Option<EndReport> {
    Some(match replay.end.as_ref()? {
        End::Exit(code) => EndReport::Exit { code: *code },
        End::Trap { message, frames } => {
            EndReport::Trap { message: message.clone(), stack: stacks.resolve(frames) }
        }
    })
}
