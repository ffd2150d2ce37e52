//! Those who can know a memory's size: whether what they told agrees with the growths recorded.

use crate::replay::SizeReads;
use crate::report::{Code, Finding};
use crate::trace::SizeReadBy;
use crate::units::pages;

use super::Subject;
use super::readings::{self, Readings};

/// Someone was told another size than the growths recorded make: the program, or a package's code.
pub(super) fn findings(subject: &Subject<'_, '_>) -> impl Iterator<Item = Finding> {
    let repeated = readings::all(subject).into_iter().filter(|(_, reads)| reads.count > 1);
    repeated.filter_map(|(memory, reads)| finding(subject, memory, &reads))
}

fn finding(subject: &Subject<'_, '_>, memory: usize, reads: &SizeReads) -> Option<Finding> {
    let read = reads.wrong?;
    let recorded = read.pages_recorded?;
    let message = format!(
        "the program was told that memory {} has {}, and the growths recorded make {}",
        memory,
        pages(read.pages),
        pages(recorded),
    );
    let user = subject.replay.memories[memory].users.first();
    let finding = Finding::new(Code::WitnessesDisagree)
        .about(user.copied().unwrap_or_default())
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
pub(super) fn ways(readings: &Readings) -> String {
    let ways = [
        (SizeReadBy::HostView, "by the buffer's length"),
        (SizeReadBy::GrowZero, "by memory.grow(0)"),
        (SizeReadBy::Instruction, "by memory.size in the module"),
    ];
    let is_used = |by| readings.values().any(|reads| reads.ways.contains(by));
    let words: Vec<&str> =
        ways.iter().filter(|(by, _)| is_used(by)).map(|(_, words)| *words).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}
