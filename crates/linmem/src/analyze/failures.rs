//! Allocations that returned NULL, and whether the program wrote through it.

use std::collections::BTreeMap;

use crate::replay::heap::Failure;
use crate::report::{Code, Finding};
use crate::units::{bytes, count, pages};

use super::accesses;
use super::subject::{Memory, Subject};

/// One finding for each place where an allocation failed, in the order of the first times.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    subject.memories().flat_map(of_memory).collect()
}

fn of_memory(memory: Memory<'_, '_>) -> Vec<Finding> {
    let mut merged: Vec<Failure> = Vec::new();
    let mut of_place = BTreeMap::new();
    for failure in memory.heap().failures() {
        let place = memory.place(failure.context);
        let index = *of_place.entry((place, failure.size)).or_insert(merged.len());
        match merged.get_mut(index) {
            Some(first) => {
                first.times += failure.times;
                first.low_memory = first.low_memory.or(failure.low_memory);
            }
            None => merged.push(*failure),
        }
    }
    merged.iter().map(|failure| finding(memory, failure)).collect()
}

fn finding(memory: Memory<'_, '_>, failure: &Failure) -> Finding {
    let failed = what_failed(memory, failure);
    // Where accesses are checked, the write itself is told.
    let low_memory = failure.low_memory.filter(|_| !accesses::are_near_null(memory));
    let finding = match low_memory {
        Some(low) => Finding::new(Code::NullIgnored)
            .message(format!(
                "the program wrote through NULL: {} between {:#x} and {:#x} changed after {failed}",
                bytes(low.changed),
                low.first,
                low.last,
            ))
            .number("low_memory_first", low.first)
            .number("low_memory_last", low.last)
            .number("low_memory_changed", low.changed)
            .advice("Check what the allocation returned before using it."),
        None => Finding::new(Code::AllocationFailed).message(failed).advice(
            "Nothing below the first data segment changed afterwards, so the program seems to \
             have noticed.",
        ),
    };
    finding
        .about(memory.first_user())
        .number("bytes", failure.size)
        .number("pages", failure.pages)
        .number("live_bytes", failure.live_bytes)
        .number("times", failure.times)
        .stack("asked for", memory.stack(failure.context))
}

fn what_failed(memory: Memory<'_, '_>, failure: &Failure) -> String {
    let limit = match memory.recorded().max_pages {
        Some(max) => format!("the maximum is {}", pages(max)),
        None => "no maximum is declared".to_owned(),
    };
    let why =
        if failure.growth_refused { "memory.grow was refused" } else { "memory was not grown" };
    let times = match failure.times {
        1 => String::new(),
        times => format!(" {} times", count(times)),
    };
    // The product of `calloc` may be larger than a size can be.
    let largest = if memory.is_64() { u64::MAX } else { u32::MAX.into() };
    let at_least = if failure.size == largest { "at least " } else { "" };
    format!(
        "an allocation of {at_least}{} returned NULL{times}: {} in use, {} in live blocks, {limit}, {why}",
        bytes(failure.size),
        pages(failure.pages),
        bytes(failure.live_bytes),
    )
}
