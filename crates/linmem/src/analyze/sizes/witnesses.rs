//! Those who can know a memory's size: whether what they told agrees with the growths recorded.

use crate::replay::Replay;
use crate::report::{Code, Finding};
use crate::trace::SizeReadBy;
use crate::units::pages;

use super::{Subject, Watched};

/// The program was told another size than the growths recorded make.
pub(super) fn finding(subject: &Subject<'_, '_>, watched: &Watched<'_>) -> Option<Finding> {
    let read = watched.reads.wrong?;
    let recorded = read.pages_recorded?;
    let message = format!(
        "the program was told that memory {} has {}, and the growths recorded make {}",
        watched.memory,
        pages(read.pages),
        pages(recorded),
    );
    let finding = Finding::new(Code::WitnessesDisagree)
        .about(watched.users.first().copied().unwrap_or_default())
        .message(message)
        .number("pages_read", read.pages)
        .number("pages_recorded", recorded)
        .stack("read", subject.stack(read.context))
        .advice(
            "Something grew the memory that linmem does not see: code of another module, perhaps.",
        );
    Some(finding)
}

/// How the program asked for sizes, in words.
pub(super) fn ways(replay: &Replay) -> String {
    let ways = [
        (SizeReadBy::HostView, "by the buffer's length"),
        (SizeReadBy::GrowZero, "by memory.grow(0)"),
        (SizeReadBy::Instruction, "by memory.size in the module"),
    ];
    let is_used = |by| replay.host.size_reads.values().any(|reads| reads.ways.contains(by));
    let words: Vec<&str> =
        ways.iter().filter(|(by, _)| is_used(by)).map(|(_, words)| *words).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}
