//! The recordings of all processes and threads of a program: recordings in, while they are written; one report out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use super::{Analysis, AnalysisOptions, MergedAnalysis};
use crate::error::{Error, ErrorKind, Result};
use crate::report::Report;
use crate::trace::{ELSEWHERE, ModulesBeside};

/// Recordings that are read at the same time; the others wait until one of these is over.
const MOST_OPEN: usize = 64;

/// Bytes that are read of one recording before the next one has its turn.
const TURN_BYTES: usize = 1 << 20;

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 1 << 16;

/// The recordings of a program by their names. Those of threads that share memories are one history, and are merged
/// before they are analysed.
///
/// `open` gives a recording's reader, at its first byte. A reader that has no more bytes may have some later.
///
/// ```
/// use linmem::{AnalysisOptions, Recordings};
///
/// let bytes = &b"linmem\0\x01\x26\x02hi\x0b\x00"[..];
/// let mut recordings = Recordings::new(AnalysisOptions::default(), |_name: &str| Ok(bytes));
/// recordings.add("1.trace");
/// while recordings.take_in()? {}
/// let report = recordings.finish()?.expect("there is a recording");
/// assert_eq!(report.notes, ["hi"]);
/// # Ok::<(), linmem::Error>(())
/// ```
pub struct Recordings<R, F> {
    open: F,
    options: AnalysisOptions,
    known: BTreeSet<String>,
    waiting: BTreeSet<String>,
    reading: BTreeMap<String, Recording<R>>,
    /// The reports of those that are over. Nothing else of them is kept.
    reports: BTreeMap<String, ThreadReport>,
    /// The analyses of the processes whose threads share memories, by the processes' names.
    processes: BTreeMap<String, MergedAnalysis<R>>,
    chunk: Vec<u8>,
    /// Reads the module with a SHA-256 beside the recording of a name.
    modules: Arc<ReadBeside>,
}

type ReadBeside = dyn Fn(&str, &[u8; 32]) -> Result<Vec<u8>> + Send + Sync;

/// The report of a recording.
struct ThreadReport {
    report: Report,
    /// The process and the thread that it is of, if it says that.
    thread: Option<(String, u64)>,
}

/// A recording that is being read.
struct Recording<R> {
    reader: R,
    analysis: Analysis,
}

impl<R: Read, F: FnMut(&str) -> Result<R>> Recordings<R, F> {
    /// Without recordings.
    pub fn new(options: AnalysisOptions, open: F) -> Recordings<R, F> {
        Recordings {
            open,
            options,
            known: BTreeSet::new(),
            waiting: BTreeSet::new(),
            reading: BTreeMap::new(),
            reports: BTreeMap::new(),
            processes: BTreeMap::new(),
            chunk: vec![0; CHUNK_BYTES],
            modules: Arc::new(|_, _| Err(Error::new(ErrorKind::InvalidTrace, ELSEWHERE))),
        }
    }

    /// Says how to read modules that stand beside recordings: `read` gives the module with a SHA-256 beside the recording of
    /// a name, and has checked it.
    #[must_use]
    pub fn modules_beside(
        self,
        read: impl Fn(&str, &[u8; 32]) -> Result<Vec<u8>> + Send + Sync + 'static,
    ) -> Recordings<R, F> {
        Recordings { modules: Arc::new(read), ..self }
    }

    fn beside(&self, name: &str) -> ModulesBeside {
        let (name, modules) = (name.to_owned(), Arc::clone(&self.modules));
        ModulesBeside::new(move |digest| modules(&name, digest))
    }

    /// Adds a recording, unless it was added before.
    pub fn add(&mut self, name: &str) {
        if self.known.insert(name.to_owned()) {
            self.waiting.insert(name.to_owned());
        }
    }

    /// Takes in what the recordings have by now, or a part of it. Returns whether there was anything.
    ///
    /// # Errors
    ///
    /// [`InvalidTrace`](crate::ErrorKind::InvalidTrace) and [`InvalidModule`](crate::ErrorKind::InvalidModule) when a
    /// recording is damaged, and [`Io`](crate::ErrorKind::Io) when it cannot be read.
    pub fn take_in(&mut self) -> Result<bool> {
        self.open_more()?;
        let mut any = false;
        for process in self.processes.values_mut() {
            any |= process.take_in()?;
        }
        let names: Vec<String> = self.reading.keys().cloned().collect();
        for name in names {
            let is_new = self.take_turn(&name)?;
            any |= is_new;
            self.merge_if_shared(&name)?;
            let is_over = self.reading.get(&name).is_some_and(|open| open.analysis.is_over());
            if is_over && !is_new {
                self.close(&name)?;
                // There is room for another one.
                any |= !self.waiting.is_empty();
            }
        }
        if !any {
            self.processes.values_mut().for_each(MergedAnalysis::parse_ahead);
            self.reading.values_mut().for_each(|open| open.analysis.parse_ahead());
        }
        Ok(any)
    }

    /// One report of all recordings, none of which goes on; `None` if there are none.
    ///
    /// # Errors
    ///
    /// As for [`take_in`](Recordings::take_in).
    pub fn finish(mut self) -> Result<Option<Report>> {
        while self.take_in()? || !self.reading.is_empty() {
            let ended: Vec<String> = self.reading.keys().cloned().collect();
            for name in ended {
                while self.take_turn(&name)? {}
                self.merge_if_shared(&name)?;
                self.close(&name)?;
            }
        }
        let merged = self.processes.into_iter().map(|(process, merged)| {
            let (report, thread) = (merged.finish()?, Some((process, 0)));
            Ok(ThreadReport { report, thread })
        });
        let merged = merged.collect::<Result<Vec<_>>>()?;
        let reports = self.reports.into_values().chain(merged).collect();
        Ok(Report::merge(ended_with_their_process(reports)))
    }

    fn open_more(&mut self) -> Result<()> {
        while self.reading.len() < MOST_OPEN {
            let Some(name) = self.waiting.pop_first() else { break };
            let reader = (self.open)(&name)?;
            let analysis = Analysis::with_modules(self.options.clone(), self.beside(&name));
            self.reading.insert(name, Recording { reader, analysis });
        }
        Ok(())
    }

    /// Lets the analysis of its process read a recording instead, if the thread shares a memory.
    fn merge_if_shared(&mut self, name: &str) -> Result<()> {
        let recording = self.reading.get(name);
        let process = recording.and_then(|recording| recording.analysis.shares_memory_in());
        let Some(process) = process.map(str::to_owned) else { return Ok(()) };
        self.reading.remove(name);
        let new = || MergedAnalysis::new(self.options.clone());
        let (from_the_start, modules) = ((self.open)(name)?, self.beside(name));
        self.processes.entry(process).or_insert_with(new).add_with(from_the_start, modules);
        Ok(())
    }

    /// Reads some of the new bytes of one recording. Returns whether there were any.
    fn take_turn(&mut self, name: &str) -> Result<bool> {
        let Some(Recording { reader, analysis }) = self.reading.get_mut(name) else {
            return Ok(false);
        };
        let mut taken = 0;
        while taken < TURN_BYTES {
            let count =
                reader.read(&mut self.chunk).map_err(|error| Error::from(error).about(name))?;
            if count == 0 {
                break;
            }
            analysis.push(&self.chunk[..count]).map_err(|error| error.about(name))?;
            taken += count;
            // It is read once more, with others.
            if analysis.shares_memory_in().is_some() {
                break;
            }
        }
        Ok(taken > 0)
    }

    fn close(&mut self, name: &str) -> Result<()> {
        let Some(Recording { analysis, .. }) = self.reading.remove(name) else { return Ok(()) };
        let thread = analysis.thread().map(|(process, thread)| (process.to_owned(), thread));
        // A thread may be ended right after it has made the file.
        let report = match analysis.is_empty() {
            true => Report::default(),
            false => analysis.finish().report().map_err(|error| error.about(name))?,
        };
        self.reports.insert(name.to_owned(), ThreadReport { report, thread });
        Ok(())
    }
}

/// A recording of a thread that stops early says that the thread was ended, not that the program was killed, if the
/// first thread of the process has ended as it should.
fn ended_with_their_process(reports: Vec<ThreadReport>) -> impl Iterator<Item = Report> {
    let whole = reports.iter().filter(|first| !first.report.truncated);
    let first = whole.filter_map(|whole| whole.thread.as_ref().filter(|(_, thread)| *thread == 0));
    let ended: BTreeSet<String> = first.map(|(process, _)| process.clone()).collect();
    reports.into_iter().map(move |ThreadReport { mut report, thread }| {
        report.truncated &= !thread.is_some_and(|(process, _)| ended.contains(&process));
        report
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::rc::Rc;

    use super::*;
    use crate::trace::{Record, Sharing, Writer};

    const BEGINNING: &[u8] = b"linmem\0\x01";
    const NOTE: &[u8] = b"\x26\x02hi";
    const EXIT: &[u8] = b"\x0b\x00";

    /// A recording that may grow.
    #[derive(Clone, Default)]
    struct Growing(Rc<RefCell<Vec<u8>>>);

    struct At(Growing, usize);

    impl Read for At {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let At(Growing(bytes), at) = self;
            let count = (&bytes.borrow()[*at..]).read(buffer)?;
            *at += count;
            Ok(count)
        }
    }

    /// Alone, and with another thread that shares a memory.
    #[test]
    fn modules_beside_recordings_are_read_where_it_is_known_how() {
        const DIGEST: [u8; 32] = [7; 32];
        let allocator = r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#;
        let recording = |sharing| {
            let mut writer = Writer::new(Vec::new());
            writer.record(&Record::Thread { process: "p".to_owned(), thread: 0 });
            let (name, allocator) = ("a.wasm".to_owned(), allocator.to_owned());
            writer.record(&Record::ModuleBeside { name, digest: DIGEST.to_vec(), allocator });
            let (initial_pages, max_pages, page_bytes) = (2, Some(2), 65_536);
            writer.record(&Record::Memory { initial_pages, max_pages, page_bytes, sharing });
            writer.record(&Record::Instance { module: 0, memory: 0 });
            writer.record(&Record::Exit { code: 0 });
            writer.finish().unwrap()
        };
        for sharing in [Sharing::Private, Sharing::Shared(0)] {
            let bytes = recording(sharing);
            let open = move |_: &str| Ok(io::Cursor::new(bytes.clone()));
            let mut unknown = Recordings::new(AnalysisOptions::default(), open.clone());
            unknown.add("d/0.trace");
            let error = unknown.finish().unwrap_err().to_string();
            assert!(error.contains(ELSEWHERE), "{error}");
            let read = |recording: &str, digest: &[u8; 32]| {
                assert_eq!((recording, digest), ("d/0.trace", &DIGEST));
                Ok(wat::parse_str("(module (memory 2 2))").unwrap())
            };
            let mut known = Recordings::new(AnalysisOptions::default(), open).modules_beside(read);
            known.add("d/0.trace");
            let report = known.finish().unwrap().unwrap();
            assert_eq!(report.instances.len(), 1);
        }
    }

    /// More than are read at a time; those that are over make room for the others.
    #[test]
    fn very_many_recordings_are_all_read() {
        let open = |name: &str| {
            // Every tenth one was killed.
            let end: &[u8] = if name.ends_with('0') { b"" } else { EXIT };
            Ok(io::Cursor::new([BEGINNING, NOTE, end].concat()))
        };
        let mut recordings = Recordings::new(AnalysisOptions::default(), open);
        (0..3 * MOST_OPEN).for_each(|number| recordings.add(&number.to_string()));
        assert!(recordings.take_in().unwrap());
        assert_eq!(recordings.reading.len(), MOST_OPEN);
        assert!(recordings.take_in().unwrap());
        let report = recordings.finish().unwrap().unwrap();
        assert_eq!(report.notes.len(), 3 * MOST_OPEN);
        assert!(report.truncated, "some were killed");
    }

    #[test]
    fn a_recording_that_grows_is_read_to_its_end() {
        let bytes = Growing::default();
        let open = |_: &str| Ok(At(bytes.clone(), 0));
        let mut recordings = Recordings::new(AnalysisOptions::default(), open);
        bytes.0.borrow_mut().extend([BEGINNING, NOTE, &NOTE[..2]].concat());
        recordings.add("1");
        recordings.add("1");
        assert!(recordings.take_in().unwrap());
        assert!(!recordings.take_in().unwrap(), "nothing new");
        bytes.0.borrow_mut().extend([&NOTE[2..], EXIT].concat());
        let report = recordings.finish().unwrap().unwrap();
        assert_eq!((report.notes.len(), report.truncated), (2, false));
    }

    #[test]
    fn no_recordings_are_no_report() {
        let open = |_: &str| Ok(io::empty());
        let recordings = Recordings::new(AnalysisOptions::default(), open);
        assert!(recordings.finish().unwrap().is_none());
    }

    #[test]
    fn errors_name_the_recording() {
        let open = |_: &str| Ok(&b"no trace at all"[..]);
        let mut recordings = Recordings::new(AnalysisOptions::default(), open);
        recordings.add("a/1.trace");
        let error = recordings.take_in().unwrap_err().to_string();
        assert!(error.starts_with("a/1.trace: "), "{error}");
    }
}
