//! What a report says that has no instance and no finding to speak of.

use std::fmt;

use serde::Serialize;

use super::Report;
use crate::instrument::NO_MEMORY;

/// Why a report has nothing to say of a program's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NothingWatched {
    /// Nothing was there to watch.
    NoInstance,
    /// A module of the program could not be watched: linmem has not done its job.
    Refused,
    /// The recording stops too early.
    CutShort,
}

impl Report {
    /// The notes that tell of modules, documents and workers that could not be watched, though there is something to see.
    pub fn unwatched(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(String::as_str).filter(|note| tells_of_unwatched(note))
    }

    /// Why nothing was watched; `None` if an instance was, or something was found without one.
    pub fn nothing_watched(&self) -> Option<NothingWatched> {
        if !self.instances.is_empty() || !self.findings.is_empty() {
            return None;
        }
        Some(match self.truncated {
            _ if self.unwatched().next().is_some() => NothingWatched::Refused,
            true => NothingWatched::CutShort,
            false => NothingWatched::NoInstance,
        })
    }
}

/// Whether a note, of one module or of several, tells that something is not watched in which there is something to see.
pub(crate) fn tells_of_unwatched(note: &str) -> bool {
    let is_unwatched = note.contains(" is not watched: ") || note.contains(" are not watched");
    is_unwatched && !note.ends_with(NO_MEMORY)
}

/// A headline, without the program's name.
impl fmt::Display for NothingWatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NothingWatched::NoInstance => "the program made no WebAssembly instance to watch",
            NothingWatched::Refused => "nothing was watched, so nothing is known of the program",
            NothingWatched::CutShort => {
                "the recording stops before the program made a WebAssembly instance"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Code, Finding};

    #[test]
    fn what_could_not_be_watched_is_no_program_without_instances() {
        let mut report = Report::default();
        assert_eq!(report.nothing_watched(), Some(NothingWatched::NoInstance));
        report.truncated = true;
        assert_eq!(report.nothing_watched(), Some(NothingWatched::CutShort));
        report.notes.push("something else".into());
        assert_eq!(report.nothing_watched(), Some(NothingWatched::CutShort));
        report.notes.push("module a.wasm is not watched: it is too large".into());
        assert_eq!(report.nothing_watched(), Some(NothingWatched::Refused));
        assert_eq!(report.unwatched().collect::<Vec<_>>(), &report.notes[1..]);
        report.findings.push(Finding::new(Code::LeakDefinite));
        assert_eq!(report.nothing_watched(), None);
    }
}
