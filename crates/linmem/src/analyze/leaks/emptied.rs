//! Blocks that `realloc(p, 0)` returned. Many programs take it for `free(p)`, but most allocators return a block of the
//! smallest size: one finding for all of them, or else each call is a leak "of 0 bytes".

use std::cmp::Reverse;

use crate::replay::heap::Held;
use crate::report::{Code, Finding};
use crate::units::{count, number_of};

use super::super::subject::Memory;
use super::findings::{
    Groups, MORE_PLACES, allocated, by_line, indirect_numbers, indirect_of, them, with_others,
};
use super::sum_of;

const WHAT: &str = "of realloc(p, 0), which returned a block instead of freeing";

/// One finding for all that nothing points to, wherever the calls are.
pub(super) fn finding(memory: Memory<'_, '_>, groups: &Groups<'_>) -> Option<Finding> {
    let held = sum_of(groups.iter().map(|(_, group)| *group));
    if held.blocks == 0 {
        return None;
    }
    let are = if held.blocks == 1 { "is the result" } else { "are the result" };
    let message = format!(
        "{} {are} {WHAT}{}: nothing points to {} any more{}",
        number_of(held.blocks, "block"),
        by_line(memory, groups),
        them(held),
        with_others(held, indirect_of(groups)),
    );
    let finding = Finding::new(Code::LeakDefinite)
        .about(memory.first_user())
        .message(message)
        .number("blocks", held.blocks)
        .number("bytes", held.bytes)
        .advice("Call free: what realloc(p, 0) does differs from allocator to allocator.");
    let mut places: Vec<_> = groups.iter().collect();
    places.sort_by_key(|(_, group)| Reverse(group.held.blocks));
    let shown = places.into_iter().take(1 + MORE_PLACES);
    let finding = shown.fold(finding, |finding, ((_, context), group)| {
        let label = format!("{}: {}", allocated(group), number_of(group.held.blocks, "block"));
        finding.stack(label, memory.stack(*context))
    });
    Some(indirect_numbers(finding, indirect_of(groups)))
}

/// How many of these blocks `realloc(p, 0)` returned, as the end of a sentence about them.
pub(super) fn of_them(emptied: u64, all: Held) -> String {
    match emptied {
        0 => String::new(),
        1 if all.blocks == 1 => format!("; it is the result {WHAT}"),
        _ if emptied == all.blocks => format!("; all are the result {WHAT}"),
        1 => format!("; 1 of them is the result {WHAT}"),
        _ => format!("; {} of them are the result {WHAT}", count(emptied)),
    }
}
