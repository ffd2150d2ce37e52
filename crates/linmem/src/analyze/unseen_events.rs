//! Memories of which not all events were recorded: what depends on all of them is not judged.

use crate::report::{Code, Finding};
use crate::trace::Sharing;

use super::subject::{Memory, Subject};

/// One finding for each such memory.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    subject.memories().filter_map(finding).collect()
}

fn finding(memory: Memory<'_, '_>) -> Option<Finding> {
    let reason = reason(memory)?;
    let finding = Finding::new(Code::EventsMissing)
        .about(memory.first_user())
        .message(format!("{reason}: misuse and leaks are not judged"))
        .advice("Let threads end by themselves, and let the program end after them.");
    Some(finding)
}

/// Why events of a memory are missing, if so.
pub(super) fn reason(memory: Memory<'_, '_>) -> Option<&'static str> {
    match memory.recorded().sharing {
        Sharing::Private => None,
        Sharing::Unknown => {
            Some("threads share the memory, and linmem could not find out which of them do")
        }
        Sharing::Shared(_) if memory.subject.replay.has_holes => {
            Some("threads share the memory, and some of their events were not recorded")
        }
        Sharing::Shared(_) if may_be_unknown(memory) => {
            Some("threads share a memory of which linmem could not find out whether it is this one")
        }
        Sharing::Shared(_) => None,
    }
}

/// Whether a thread has told events of a shared memory that may be this one.
fn may_be_unknown(memory: Memory<'_, '_>) -> bool {
    memory.subject.replay.memories.iter().any(|memory| memory.sharing == Sharing::Unknown)
}
