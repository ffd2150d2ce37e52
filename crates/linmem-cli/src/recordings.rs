//! The recordings of all processes and threads of a program: traces in, while they are written; one report
//! out. Recordings of threads that share memories are one history, and are merged before they are analysed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use linmem::{Analysis, AnalysisOptions, MergedAnalysis, Report};

use crate::files;

/// Recordings that are read at the same time; the others wait until one of these is over.
const MOST_OPEN: usize = 64;

/// Bytes that are read of one recording before the next one has its turn.
const TURN_BYTES: usize = 1 << 20;

/// How soon to look again after there was something new, and at the latest.
const SOONEST: Duration = Duration::from_millis(2);
const LATEST: Duration = Duration::from_millis(32);

/// The recordings in a directory.
pub struct Recordings<'a> {
    directory: &'a Path,
    options: AnalysisOptions,
    open: BTreeMap<PathBuf, Recording>,
    /// The reports of those that are over. Nothing else of them is kept.
    reports: BTreeMap<PathBuf, Report>,
    /// The analyses of the processes whose threads share memories, by the processes' names.
    processes: BTreeMap<String, MergedAnalysis<File>>,
    /// The recordings that these read.
    merged: BTreeSet<PathBuf>,
    chunk: Vec<u8>,
}

/// A recording that is being read.
struct Recording {
    file: File,
    analysis: Analysis,
}

impl<'a> Recordings<'a> {
    /// The recordings that will be made in this directory.
    pub fn new(directory: &'a Path, options: AnalysisOptions) -> Recordings<'a> {
        let chunk = vec![0; 1 << 16];
        Recordings {
            directory,
            options,
            open: BTreeMap::new(),
            reports: BTreeMap::new(),
            processes: BTreeMap::new(),
            merged: BTreeSet::new(),
            chunk,
        }
    }

    /// Reads what is recorded, until the command that records has ended.
    pub fn follow(&mut self, mut command: Child) -> Result<ExitStatus> {
        let (ended, end) = mpsc::channel();
        thread::spawn(move || ended.send(command.wait()));
        let mut pause = SOONEST;
        loop {
            pause = if self.take_in()? { SOONEST } else { LATEST.min(2 * pause) };
            match end.recv_timeout(pause) {
                Ok(status) => return Ok(status?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// One report of all recordings; `None` if there are none.
    pub fn finish(mut self) -> Result<Option<Report>> {
        // The command has ended: a recording without new bytes is at its end.
        while self.take_in()? || !self.open.is_empty() {
            let ended: Vec<PathBuf> = self.open.keys().cloned().collect();
            for path in ended {
                while self.take_turn(&path)? {}
                self.merge_if_shared(&path)?;
                self.close(&path)?;
            }
        }
        let merged = self.processes.into_values().map(MergedAnalysis::finish);
        let merged = merged.collect::<linmem::Result<Vec<_>>>()?;
        Ok(Report::merge(self.reports.into_values().chain(merged)))
    }

    /// Reads the new bytes of all recordings. Returns whether there were any.
    fn take_in(&mut self) -> Result<bool> {
        self.open_new_ones()?;
        let mut any = false;
        for process in self.processes.values_mut() {
            any |= process.take_in()?;
        }
        let paths: Vec<PathBuf> = self.open.keys().cloned().collect();
        for path in paths {
            let is_new = self.take_turn(&path)?;
            any |= is_new;
            self.merge_if_shared(&path)?;
            let is_over = self.open.get(&path).is_some_and(|open| open.analysis.is_over());
            if is_over && !is_new {
                self.close(&path)?;
            }
        }
        Ok(any)
    }

    fn open_new_ones(&mut self) -> Result<()> {
        let all: BTreeSet<PathBuf> = files::traces(self.directory)?.collect();
        for path in all {
            if self.open.len() >= MOST_OPEN {
                break;
            }
            let is_known = self.open.contains_key(&path)
                || self.reports.contains_key(&path)
                || self.merged.contains(&path);
            if !is_known {
                let file = open(&path)?;
                let analysis = Analysis::new(self.options.clone());
                self.open.insert(path, Recording { file, analysis });
            }
        }
        Ok(())
    }

    /// Lets the analysis of its process read a recording instead, if the thread shares a memory.
    fn merge_if_shared(&mut self, path: &Path) -> Result<()> {
        let recording = self.open.get(path);
        let process = recording.and_then(|recording| recording.analysis.shares_memory_in());
        let Some(process) = process.map(str::to_owned) else { return Ok(()) };
        self.open.remove(path);
        self.merged.insert(path.to_owned());
        let new = || MergedAnalysis::new(self.options.clone());
        self.processes.entry(process).or_insert_with(new).add(open(path)?);
        Ok(())
    }

    /// Reads some of the new bytes of one recording. Returns whether there were any.
    fn take_turn(&mut self, path: &Path) -> Result<bool> {
        let Some(Recording { file, analysis }) = self.open.get_mut(path) else { return Ok(false) };
        let mut taken = 0;
        while taken < TURN_BYTES {
            let count = file.read(&mut self.chunk).with_context(|| path.display().to_string())?;
            if count == 0 {
                break;
            }
            analysis.push(&self.chunk[..count]).with_context(|| path.display().to_string())?;
            taken += count;
        }
        Ok(taken > 0)
    }

    fn close(&mut self, path: &Path) -> Result<()> {
        let Some(Recording { analysis, .. }) = self.open.remove(path) else { return Ok(()) };
        let report = analysis.finish().report().with_context(|| path.display().to_string())?;
        self.reports.insert(path.to_owned(), report);
        Ok(())
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::process::Command;

    use super::*;

    const BEGINNING: &[u8] = b"linmem\0\x01";
    const NOTE: &[u8] = b"\x26\x02hi";
    const EXIT: &[u8] = b"\x0b\x00";

    /// More than are read at a time; those that are over make room for the others.
    #[test]
    fn very_many_recordings_are_all_read() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..3 * MOST_OPEN {
            // Every tenth one was killed.
            let end: &[u8] = if number % 10 == 0 { b"" } else { EXIT };
            let path = directory.path().join(format!("{number}.trace"));
            fs::write(path, [BEGINNING, NOTE, end].concat()).unwrap();
        }
        let mut recordings = Recordings::new(directory.path(), AnalysisOptions::default());
        assert!(recordings.take_in().unwrap());
        assert_eq!(recordings.open.len(), MOST_OPEN);
        assert!(recordings.take_in().unwrap() || !recordings.reports.is_empty());
        let report = recordings.finish().unwrap().unwrap();
        assert_eq!(report.notes.len(), 3 * MOST_OPEN);
        assert!(report.truncated, "some were killed");
    }

    /// What is written after the last look, and while the command still runs, is not lost.
    #[test]
    fn a_recording_that_grows_is_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1.trace");
        fs::write(&path, [BEGINNING, NOTE, &NOTE[..2]].concat()).unwrap();
        let mut recordings = Recordings::new(directory.path(), AnalysisOptions::default());
        assert!(recordings.take_in().unwrap());
        assert!(!recordings.take_in().unwrap(), "nothing new");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&[&NOTE[2..], EXIT].concat()).unwrap();
        let command = Command::new("true").spawn().unwrap();
        assert!(recordings.follow(command).unwrap().success());
        let report = recordings.finish().unwrap().unwrap();
        assert_eq!((report.notes.len(), report.truncated), (2, false));
    }

    #[test]
    fn no_recordings_are_no_report() {
        let directory = tempfile::tempdir().unwrap();
        let recordings = Recordings::new(directory.path(), AnalysisOptions::default());
        assert!(recordings.finish().unwrap().is_none());
    }
}
