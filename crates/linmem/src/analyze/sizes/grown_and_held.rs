//! Pages that were needed at some time and are not any more.

use crate::module::PAGE_BYTES;
use crate::report::{Code, Finding};
use crate::units::{count, pages};

use super::super::unseen_events;
use super::{Subject, Watched};

/// A finding if the memory grew and is mostly unused at the end.
pub(super) fn findings(subject: &Subject<'_, '_>, watched: &Watched<'_>) -> Vec<Finding> {
    watched.users.first().and_then(|&user| finding(subject, user)).into_iter().collect()
}

fn finding(subject: &Subject<'_, '_>, number: usize) -> Option<Finding> {
    let memory = &subject.replay.memories[subject.replay.instances[number].memory];
    let totals = memory.heap.totals();
    let size = totals.at_end.pages.saturating_mul(PAGE_BYTES);
    let grew = totals.at_end.pages > memory.initial_pages;
    let unused = size.saturating_sub(totals.at_end.bytes);
    // How many bytes are live is only known of blocks that were seen.
    let sees_blocks = totals.allocations > 0
        && subject.memories().all(|memory| {
            !memory.recorded().users.contains(&number) || unseen_events::reason(memory).is_none()
        });
    // With checks, the rest is linmem's own quarantine.
    let is_checked = subject.replay.instances[number].checked.is_some();
    if !grew || !sees_blocks || is_checked || unused <= size / 2 {
        return None;
    }
    let message = format!(
        "instance {number} grew from {} to {} for at most {} live bytes, and {} are live at the \
         end: the allocator keeps the rest for later",
        count(memory.initial_pages),
        pages(totals.at_end.pages),
        count(totals.at_peak.bytes),
        count(totals.at_end.bytes),
    );
    let finding = Finding::new(Code::GrewAndHeld)
        .about(number)
        .message(message)
        .number("pages_at_start", memory.initial_pages)
        .number("pages_at_end", totals.at_end.pages)
        .number("bytes_at_end", totals.at_end.bytes)
        .advice("No instruction gives pages back; a new instance starts small again.");
    Some(finding)
}
