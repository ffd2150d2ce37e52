//! The recordings in a directory, which are read while they are written.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use linmem::{AnalysisOptions, Error, ErrorKind, Report};
use sha2::{Digest, Sha256};

use crate::files;

/// How soon to look again after there was something new, and at the latest.
const SOONEST: Duration = Duration::from_millis(2);
const LATEST: Duration = Duration::from_millis(32);

/// The recordings in a directory.
pub struct Recordings<'a> {
    directory: &'a Path,
    recordings: linmem::Recordings<File, fn(&str) -> linmem::Result<File>>,
}

impl<'a> Recordings<'a> {
    /// The recordings that will be made in this directory.
    pub fn new(directory: &'a Path, options: AnalysisOptions) -> Recordings<'a> {
        let recordings = linmem::Recordings::new(options, open as fn(&str) -> linmem::Result<File>);
        Recordings { directory, recordings: recordings.modules_beside(module_beside) }
    }

    /// Reads what is recorded, until the command that records has ended.
    pub fn follow(&mut self, mut command: Child) -> Result<ExitStatus> {
        let (ended, end) = mpsc::channel();
        thread::spawn(move || ended.send(command.wait()));
        let mut pause = SOONEST;
        loop {
            self.add_new_ones()?;
            pause = if self.recordings.take_in()? { SOONEST } else { LATEST.min(2 * pause) };
            match end.recv_timeout(pause) {
                Ok(status) => return Ok(status?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// One report of all recordings; `None` if there are none.
    pub fn finish(mut self) -> Result<Option<Report>> {
        self.add_new_ones()?;
        Ok(self.recordings.finish()?)
    }

    fn add_new_ones(&mut self) -> Result<()> {
        for path in files::traces(self.directory)? {
            self.recordings.add(&path.to_string_lossy());
        }
        Ok(())
    }
}

fn open(path: &str) -> linmem::Result<File> {
    let failed = |error| Error::new(ErrorKind::Io, format!("cannot read {path}: {error}"));
    File::open(path).map_err(failed)
}

/// The module with a SHA-256 beside a recording, which the recorder has linked there.
fn module_beside(recording: &str, digest: &[u8; 32]) -> linmem::Result<Vec<u8>> {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = Path::new(recording).with_file_name(format!("{hex}.wasm"));
    let failed = |reason: String| {
        Error::new(ErrorKind::Io, format!("cannot read {}: {reason}", path.display()))
    };
    let bytes = fs::read(&path).map_err(|error| failed(error.to_string()))?;
    if Sha256::digest(&bytes)[..] != digest[..] {
        let reason = "its contents are not those that its name says; linmem's cache of modules is \
                      damaged, delete it";
        return Err(failed(reason.to_owned()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::process::Command;

    use super::*;

    const BEGINNING: &[u8] = b"linmem\0\x01";
    const NOTE: &[u8] = b"\x26\x02hi";
    const EXIT: &[u8] = b"\x0b\x00";

    /// What is written after the last look, and while the command still runs, is not lost.
    #[test]
    fn a_recording_that_grows_is_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1.trace");
        fs::write(&path, [BEGINNING, NOTE, &NOTE[..2]].concat()).unwrap();
        let mut recordings = Recordings::new(directory.path(), AnalysisOptions::default());
        let command = Command::new("true").spawn().unwrap();
        assert!(recordings.follow(command).unwrap().success());
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&[&NOTE[2..], EXIT].concat()).unwrap();
        fs::write(directory.path().join("2.trace"), [BEGINNING, NOTE, EXIT].concat()).unwrap();
        let report = recordings.finish().unwrap().unwrap();
        assert_eq!((report.notes.len(), report.truncated), (3, false));
    }

    /// A worker that the program ended stops early; how its process ended is what the first thread says.
    #[test]
    fn workers_may_be_ended_before_their_process() {
        let of_thread =
            |number: u8, rest: &[u8]| [BEGINNING, b"\x1e\x01p", &[number][..], NOTE, rest].concat();
        let truncated = |recordings: &[Vec<u8>]| {
            let directory = tempfile::tempdir().unwrap();
            for (number, recording) in recordings.iter().enumerate() {
                fs::write(directory.path().join(format!("{number}.trace")), recording).unwrap();
            }
            let recordings = Recordings::new(directory.path(), AnalysisOptions::default());
            recordings.finish().unwrap().unwrap().truncated
        };
        let (whole, ended) = (of_thread(0, EXIT), of_thread(1, b""));
        assert!(!truncated(&[whole.clone(), ended.clone()]));
        assert!(truncated(&[of_thread(0, b""), ended.clone()]), "the process was killed");
        assert!(truncated(&[ended]), "nobody says how the process ended");
        // Ended before a thread wrote anything to its file.
        assert!(!truncated(&[whole.clone(), Vec::new()]));
        assert!(!truncated(&[whole, BEGINNING[..5].to_vec()]));
    }

    #[test]
    fn a_module_beside_a_recording_is_what_its_name_says() {
        let directory = tempfile::tempdir().unwrap();
        let digest: [u8; 32] = Sha256::digest(b"module").into();
        let recording = directory.path().join("1.trace").display().to_string();
        let read = || module_beside(&recording, &digest).map_err(|error| error.to_string());
        assert!(read().unwrap_err().contains("cannot read"), "it is not there");
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = directory.path().join(format!("{name}.wasm"));
        fs::write(&path, "module").unwrap();
        assert_eq!(read().unwrap(), b"module");
        fs::write(&path, "another").unwrap();
        assert!(read().unwrap_err().contains("not those that its name says"));
    }

    #[test]
    fn no_recordings_are_no_report() {
        let directory = tempfile::tempdir().unwrap();
        let recordings = Recordings::new(directory.path(), AnalysisOptions::default());
        assert!(recordings.finish().unwrap().is_none());
    }
}
