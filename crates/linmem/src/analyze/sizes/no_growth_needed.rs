//! The healthy cases: there was room already, or blocks were reused.

use crate::module::PAGE_BYTES;
use crate::report::{Code, Finding};
use crate::units::{bytes, count, number_of, pages};

use super::{Subject, Watched};

/// The memory was worked in and rightly kept its size.
pub(super) fn finding(subject: &Subject<'_, '_>, watched: &Watched<'_>) -> Option<Finding> {
    let &number = watched.users.first()?;
    let between = watched.allocations_between();
    let size = watched.reads.first.pages;
    if between == 0 || size != watched.reads.last.pages {
        return None;
    }
    let heap = &subject.replay.memories[watched.memory].heap;
    let totals = heap.totals();
    let (code, why) = if !heap.growths().is_empty() || totals.reused > 0 {
        let reused = count(totals.reused);
        (Code::Reused, format!("in the whole run {reused} took the place of freed blocks"))
    } else {
        (Code::RoomToSpare, format!("these are {}", bytes(size.saturating_mul(PAGE_BYTES))))
    };
    let message = format!(
        "between the {} readings instance {number} made {}, and its memory rightly stayed at {}: \
         {why}, and never more than {} were live",
        count(watched.reads.count),
        number_of(between, "allocation"),
        pages(size),
        bytes(totals.at_peak.bytes),
    );
    let finding = Finding::new(code)
        .about(number)
        .message(message)
        .number("readings", watched.reads.count)
        .number("allocations", between)
        .number("peak_bytes", totals.at_peak.bytes)
        .advice(
            "Watch the live bytes if you look for leaks: the memory's size does not show them.",
        );
    Some(finding)
}
