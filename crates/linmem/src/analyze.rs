//! Findings and tables from a recorded run. All analyses have one shape: they take the [`Subject`], which is
//! the whole recording, and return plain data.
//!
//! Findings, `findings(&Subject) -> Vec<Finding>`; a new one is a file and a line in [`ANALYSES`]:
//! - `unseen_events`: memories of which not all events were recorded, or not all of the allocator seen
//! - `accesses`: reads and writes of what they must not access, where accesses are checked
//! - `misuse`: double frees, invalid frees, wrong sizes, overlapping blocks
//! - `stale_pointers`: addresses of freed blocks that the host passes to functions
//! - `not_returned`: calls that a trap or an exception left
//! - `failures`: allocations that returned NULL, and whether the program noticed
//! - `leaks`: which live blocks nothing points to
//! - `older_blocks`: blocks that the module has in its data, from before the run
//! - `growing_calls`: exported functions whose calls keep growing the memory
//! - `objects`: objects that the host makes and does not give back
//! - `sizes`: what the sizes mean that a host read of its memories
//!
//! Tables, `table(&Subject)`, one for each memory or one for all:
//! - `leaks`: live blocks by kind
//! - `exports`: exported functions of whose calls something is left
//! - `growth_log`: the growths by call stack, and whether the memory came to rest
//! - `sites`: the profile, with all weights of every call stack that allocates
//! - `hot_sites`: the top of the profile
//!
//! `repeated_calls` needs no recording: whether the same call again and again comes to rest.

mod accesses;
mod exports;
mod failures;
mod growing_calls;
mod growth_log;
mod hot_sites;
mod leaks;
mod lines;
mod made;
mod merged;
mod misuse;
mod modules;
mod not_returned;
mod notes;
mod objects;
mod older_blocks;
#[cfg(test)]
mod read_alike;
#[cfg(test)]
mod recording;
mod recordings;
mod refusals;
mod repeated_calls;
#[cfg(test)]
mod said;
mod sites;
mod sizes;
mod stacks;
mod stale_pointers;
mod subject;
#[cfg(test)]
mod tests;
mod unseen_events;

use std::io::{self, Read};

use crate::error::{Error, ErrorKind, Result};
use crate::prepared::Prepared;
use crate::replay::{End, Replay};
use crate::report::{
    Code, EndReport, Family, Finding, InstanceReport, MemoryReport, Profile, Report, Severity,
    Totals,
};
use crate::trace::{MAGIC, ModulesBeside, Reader, Sharing, Trace};

pub use merged::MergedAnalysis;
use modules::Modules;
pub use recordings::Recordings;
pub use repeated_calls::RepeatsBuilder;
use subject::{Instance, Subject};

/// All analyses that find something. Within a severity, findings stand in this order.
const ANALYSES: [fn(&Subject<'_, '_>) -> Vec<Finding>; 12] = [
    unseen_events::findings,
    refusals::findings,
    accesses::findings,
    misuse::findings,
    stale_pointers::findings,
    not_returned::findings,
    failures::findings,
    leaks::findings,
    older_blocks::findings,
    growing_calls::findings,
    objects::findings,
    sizes::findings,
];

/// What an analysis may be told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AnalysisOptions {
    /// Hot sites to list in each category.
    pub hot_sites: usize,
    /// Whether garbage was collected at the end, so that it says something how many instances were.
    pub collected: bool,
}

impl Default for AnalysisOptions {
    fn default() -> AnalysisOptions {
        AnalysisOptions { hot_sites: 5, collected: false }
    }
}

impl AnalysisOptions {
    /// Lists so many hot sites in each category.
    pub fn new(hot_sites: usize) -> AnalysisOptions {
        AnalysisOptions { hot_sites, ..AnalysisOptions::default() }
    }

    /// Garbage was collected at the end, or not.
    #[must_use]
    pub fn collected(self, collected: bool) -> AnalysisOptions {
        AnalysisOptions { collected, ..self }
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
    reader: Reader<Unread>,
    /// Bytes of the trace so far.
    bytes: u64,
    replay: Replay,
    modules: Modules,
    options: AnalysisOptions,
}

impl Analysis {
    /// Before the first byte.
    pub fn new(options: AnalysisOptions) -> Analysis {
        Analysis { options, ..Analysis::default() }
    }

    /// The same, where it is known how to read modules beside the trace.
    pub(crate) fn with_modules(options: AnalysisOptions, modules: ModulesBeside) -> Analysis {
        let reader = Reader::default().with_modules(modules);
        Analysis { options, reader, ..Analysis::default() }
    }

    /// Takes in the next bytes of the trace.
    ///
    /// # Errors
    ///
    /// [`InvalidTrace`](crate::ErrorKind::InvalidTrace) when the trace is damaged.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.reader.source().push(bytes);
        self.bytes += bytes.len() as u64;
        // The reader wants the whole header at once.
        if self.has_header() { self.read() } else { Ok(()) }
    }

    fn read(&mut self) -> Result<()> {
        while !self.replay.needs_others {
            while let Some(event) = self.reader.event_at_hand() {
                self.replay.apply_event(event)?;
            }
            match self.reader.next() {
                Some(record) => self.replay.apply(record?)?,
                None => break,
            }
        }
        Ok(())
    }

    /// While nothing else is to be done: parses a module of the recording, which a report will need.
    pub(crate) fn parse_ahead(&mut self) {
        self.modules.parse_next(&self.replay);
    }

    /// Whether the program has ended, so that nothing more is to come that matters.
    pub fn is_over(&self) -> bool {
        self.replay.end.is_some()
    }

    /// The process that was recorded, as the recording names it, and the number of its thread, from 0; `None` if
    /// the recording does not say that.
    pub fn thread(&self) -> Option<(&str, u64)> {
        self.replay.thread.as_ref().map(|(process, thread)| (process.as_str(), *thread))
    }

    /// The process whose threads share memories with the thread of this recording, as the recording names
    /// it. Its recordings make one history: see [`MergedAnalysis`].
    pub fn shares_memory_in(&self) -> Option<&str> {
        let mut memories = self.replay.memories.iter();
        let is_shared = memories.any(|memory| memory.sharing != Sharing::Private);
        self.thread().map(|(process, _)| process).filter(|_| is_shared)
    }

    /// Whether the recording stops before anything was recorded, within the trace's header.
    pub fn is_empty(&self) -> bool {
        !self.has_header()
    }

    /// Heap events so far.
    pub fn events(&self) -> u64 {
        self.replay.events
    }

    /// Which allocation, counted from 1, made the live block of the first memory that starts at this address; `None`
    /// if there is none.
    pub fn allocation_at(&self, address: u64) -> Option<u64> {
        self.replay.memories.first()?.heap.serial_at(address)
    }

    /// The figures of all memories so far.
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
    /// [`InvalidModule`](crate::ErrorKind::InvalidModule) when a module of the trace is damaged, and
    /// [`InvalidTrace`](crate::ErrorKind::InvalidTrace) when not even its header has arrived.
    pub fn report(&self) -> Result<Report> {
        self.on_recorded(report)
    }

    /// The same, for a recording of one module that the caller has prepared, so that it is not read
    /// again.
    ///
    /// # Errors
    ///
    /// As for [`report`](Analysis::report), where the recording is of other modules.
    pub fn report_on(&self, prepared: &Prepared<'_>) -> Result<Report> {
        self.on(prepared, report)
    }

    /// Where all allocations so far come from.
    ///
    /// # Errors
    ///
    /// As for [`report`](Analysis::report).
    pub fn profile(&self) -> Result<Profile> {
        self.on_recorded(|subject| subject.profile().clone())
    }

    /// The same, for a recording of one module that the caller has prepared.
    ///
    /// # Errors
    ///
    /// As for [`report_on`](Analysis::report_on).
    pub fn profile_on(&self, prepared: &Prepared<'_>) -> Result<Profile> {
        self.on(prepared, |subject| subject.profile().clone())
    }

    fn has_header(&self) -> bool {
        self.bytes >= MAGIC.len() as u64
    }

    fn on<R>(&self, prepared: &Prepared<'_>, of: impl FnOnce(&Subject<'_, '_>) -> R) -> Result<R> {
        match &self.replay.modules[..] {
            [only] if only.bytes[..] == *prepared.wasm() => {
                let modules = std::slice::from_ref(prepared);
                Ok(of(&Subject::new(&self.replay, modules, &self.options)))
            }
            _ => self.on_recorded(of),
        }
    }

    fn on_recorded<R>(&self, of: impl FnOnce(&Subject<'_, '_>) -> R) -> Result<R> {
        if !self.has_header() {
            let reason = "not a linmem trace: it is shorter than a trace's header";
            return Err(Error::new(ErrorKind::InvalidTrace, reason));
        }
        if self.replay.needs_others {
            return Err(crate::trace::merge::no_module());
        }
        on_recorded(&self.replay, &self.modules, &self.options, of)
    }
}

/// Works on a recording and the modules in it.
fn on_recorded<R>(
    replay: &Replay,
    modules: &Modules,
    options: &AnalysisOptions,
    of: impl FnOnce(&Subject<'_, '_>) -> R,
) -> Result<R> {
    modules.all(replay, |modules| of(&Subject::new(replay, modules, options)))
}

/// Bytes that have arrived and are not read yet.
#[derive(Debug, Default)]
struct Unread {
    bytes: Vec<u8>,
    read: usize,
}

impl Unread {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }
}

impl Read for Unread {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.bytes[self.read..]).read(buffer)?;
        self.read += count;
        Ok(count)
    }
}

/// Analyses a recording.
///
/// # Errors
///
/// [`InvalidTrace`](crate::ErrorKind::InvalidTrace) when it is damaged. A trace that ends early is not
/// damaged; [`Report::truncated`] says so.
pub fn analyze(trace: &Trace) -> Result<Report> {
    analyze_stream(trace.as_bytes(), &AnalysisOptions::default())
}

/// Analyses a recording in a file, or whatever else can be read.
///
/// # Errors
///
/// As for [`analyze`], and [`Io`](crate::ErrorKind::Io) when the source fails.
pub fn analyze_stream(mut source: impl Read, options: &AnalysisOptions) -> Result<Report> {
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

fn report(subject: &Subject<'_, '_>) -> Report {
    let replay = subject.replay;
    let (findings, memories) = (findings(subject), memory_reports(subject));
    Report {
        program: program(replay, &findings, &memories),
        end: end_report(subject),
        truncated: replay.truncated,
        answers: answer(subject, &findings).into_iter().collect(),
        findings,
        repeats: Vec::new(),
        notes: notes::folded(&replay.host.notes),
        totals: replay.totals(),
        memories,
        instances: instance_reports(subject),
        events: replay.events,
        micros: replay.micros,
    }
}

/// What there is to say before all else: why the program got no more memory, or what the sizes mean that it read.
fn answer(subject: &Subject<'_, '_>, findings: &[Finding]) -> Option<String> {
    refusals::answer(findings).or_else(|| sizes::answer(subject, findings))
}

/// A message as a sentence.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str())
}

/// The name of the module that the headline is about: of which the worst is found or, if nothing is wrong, of which something was
/// not judged; else of the first that has an instance, or of the first.
fn program(replay: &Replay, findings: &[Finding], memories: &[MemoryReport]) -> String {
    let worst = findings.first().filter(|finding| finding.severity != Severity::Note);
    let unseen = findings.iter().find(|finding| finding.code == Code::AllocationsUnseen);
    let not_judged = || memories.iter().find(|memory| memory.not_judged().is_some());
    let instance = worst.or(unseen).map(|finding| finding.instance);
    let instance = instance.or_else(|| not_judged()?.users.first().copied());
    let used = replay.instances.get(instance.unwrap_or(0)).map(|instance| instance.module);
    let module = replay.modules.get(used.unwrap_or(0));
    module.map(|module| module.name.clone()).unwrap_or_default()
}

/// What all analyses find, worst first. Within a severity, what is about one memory comes first, memory by
/// memory, and then what the sizes mean. Of the notes, those come first that tell what a program makes again and again.
fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        ANALYSES.iter().flat_map(|findings| findings(subject)).collect();
    findings.sort_by_key(|finding| {
        let is_more = !matches!(
            finding.code,
            Code::ObjectsLeft | Code::WaitsForFinalizer | Code::KeptByCalls | Code::InstancePerCall
        );
        let is_more = is_more && finding.severity == Severity::Note;
        match finding.code.family() {
            Family::Sizes => (finding.severity, is_more, true, 0),
            _ => (finding.severity, is_more, false, finding.instance),
        }
    });
    findings
}

fn memory_reports(subject: &Subject<'_, '_>) -> Vec<MemoryReport> {
    let leaks = leaks::table(subject).into_iter();
    let exports = exports::table(subject);
    let tables = leaks.zip(growth_log::table(subject)).zip(hot_sites::table(subject)).zip(exports);
    let memories = subject.memories().zip(tables);
    let reports = memories.map(|(memory, (((leaks, growth), hot_sites), exports))| MemoryReport {
        users: memory.recorded().users.clone(),
        totals: memory.heap().totals(),
        initial_pages: memory.recorded().initial_pages,
        max_pages: memory.recorded().max_pages,
        leaks,
        growth,
        exports,
        hot_sites,
    });
    reports.collect()
}

fn instance_reports(subject: &Subject<'_, '_>) -> Vec<InstanceReport> {
    let used: Vec<usize> = subject.memories().map(|memory| memory.number).collect();
    let reports = subject.instances().map(|instance| InstanceReport {
        module: instance.facts().recorded.name.clone(),
        // Every instance uses its memory, so it is there.
        memory: used.partition_point(|&memory| memory < instance.recorded().memory),
        created: instance.recorded().created.map(|context| subject.stack(context)),
        other_memories: instance.module().memories.len().saturating_sub(1),
        source_lines: instance.facts().source_lines,
        calls: calls(instance),
        coverage: instance.facts().coverage.clone(),
    });
    reports.collect()
}

fn calls(instance: Instance<'_, '_>) -> Vec<(String, u64)> {
    let calls = instance.recorded().calls.iter();
    calls.map(|&(function, times)| (instance.export_name(function), times)).collect()
}

/// How the program ended, with names of the first instance's module.
fn end_report(subject: &Subject<'_, '_>) -> Option<EndReport> {
    Some(match subject.replay.end.as_ref()? {
        End::Exit(code) => EndReport::Exit { code: *code },
        End::Trap { message, frames } => {
            let first = subject.replay.instances.first();
            let stack = first.map(|first| subject.resolve(first.module, frames));
            EndReport::Trap { message: message.clone(), stack: stack.unwrap_or_default() }
        }
    })
}
