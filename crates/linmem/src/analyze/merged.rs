//! The analysis of recordings that make one history: those of threads that share memories.

use std::io::Read;

use super::modules::Modules;
use super::{AnalysisOptions, on_recorded, report};
use crate::error::Result;
use crate::replay::{End, Replay};
use crate::report::Report;
use crate::trace::merge::{Merge, Merged};
use crate::trace::{ModulesBeside, Record};

/// An analysis of the recordings of one process, whose threads share memories: recordings in, one report
/// out. They may still be going on.
///
/// ```
/// # let (main, worker) = (&b"linmem\0\x01\x1e\x01a\x00\x0b\x00"[..], &b"linmem\0\x01\x1e\x01a\x01"[..]);
/// let mut analysis = linmem::MergedAnalysis::new(linmem::AnalysisOptions::default());
/// analysis.add(main);
/// analysis.add(worker);
/// analysis.take_in()?;
/// assert!(analysis.finish()?.findings.is_empty());
/// # Ok::<(), linmem::Error>(())
/// ```
#[derive(Debug)]
pub struct MergedAnalysis<R> {
    merge: Merge<R>,
    recordings: usize,
    replay: Replay,
    modules: Modules,
    options: AnalysisOptions,
}

impl<R: Read> MergedAnalysis<R> {
    /// Without recordings.
    pub fn new(options: AnalysisOptions) -> MergedAnalysis<R> {
        let (merge, mut replay) = (Merge::new(), Replay::default());
        replay.is_of_workers = true;
        MergedAnalysis { merge, recordings: 0, replay, modules: Modules::default(), options }
    }

    /// Adds a recording from its first byte on. Where it has no more bytes, it may have some later.
    pub fn add(&mut self, recording: R) {
        self.add_with(recording, ModulesBeside::default());
    }

    /// The same, where it is known how to read modules beside it.
    pub(crate) fn add_with(&mut self, recording: R, modules: ModulesBeside) {
        self.merge.add(recording, modules);
        self.recordings += 1;
    }

    /// Takes in what the recordings have by now, as far as it is its turn. Returns whether there was
    /// anything.
    ///
    /// # Errors
    ///
    /// [`InvalidTrace`](crate::ErrorKind::InvalidTrace) when a recording is damaged, and
    /// [`Io`](crate::ErrorKind::Io) when it cannot be read.
    pub fn take_in(&mut self) -> Result<bool> {
        let mut any = false;
        while let Some(merged) = self.merge.next_merged()? {
            any = true;
            match merged {
                Merged::Record(record) => self.replay.apply(record)?,
                Merged::Hole { .. } => self.replay.has_holes = true,
                // A thread ends before the program, and may be stopped in the middle.
                Merged::Ended { thread: None | Some(0), end, .. } => {
                    self.replay.end = ending(end);
                    self.replay.is_of_workers = false;
                }
                Merged::Ended { end, .. } => self.replay.threads_were_ended |= end.is_none(),
            }
        }
        Ok(any)
    }

    /// As [`Analysis::parse_ahead`](super::Analysis::parse_ahead).
    pub(crate) fn parse_ahead(&mut self) {
        self.modules.parse_next(&self.replay);
    }

    /// The report, when all recordings have ended.
    ///
    /// # Errors
    ///
    /// As for [`take_in`](MergedAnalysis::take_in), and
    /// [`InvalidModule`](crate::ErrorKind::InvalidModule) when a module of a recording is damaged.
    pub fn finish(mut self) -> Result<Report> {
        (0..self.recordings).for_each(|recording| self.merge.end(recording));
        self.merge.close();
        self.take_in()?;
        self.replay.truncated = self.replay.end.is_none();
        on_recorded(&self.replay, &self.modules, &self.options, report)
    }
}

fn ending(end: Option<Record>) -> Option<End> {
    match end {
        Some(Record::Exit { code }) => Some(End::Exit(code)),
        Some(Record::Trap { message, frames }) => Some(End::Trap { message, frames }),
        _ => None,
    }
}
