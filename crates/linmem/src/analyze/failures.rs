//! Allocations that returned NULL, and whether the program wrote through it.

use std::collections::BTreeMap;

use crate::replay::heap::Failure;
use crate::report::{Code, Finding, LabelledStack, Severity};
use crate::units::{bytes, count, pages};

use super::Subject;

/// One finding for each context in which an allocation failed, in the order of the first times.
pub fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    let mut merged: Vec<Failure> = Vec::new();
    let mut of_place = BTreeMap::new();
    for failure in subject.instance.heap.failures() {
        let place = subject.stacks.representative(failure.context);
        let index = *of_place.entry((place, failure.size)).or_insert(merged.len());
        match merged.get_mut(index) {
            Some(first) => {
                first.times += failure.times;
                first.low_memory = first.low_memory.or(failure.low_memory);
            }
            None => merged.push(*failure),
        }
    }
    merged.iter().map(|failure| finding(subject, failure)).collect()
}

fn finding(subject: &Subject<'_, '_>, failure: &Failure) -> Finding {
    let limit = match subject.instance.max_pages {
        Some(max) => format!("the maximum is {}", pages(max)),
        None => "no maximum is declared".to_owned(),
    };
    let why =
        if failure.growth_refused { "memory.grow was refused" } else { "memory was not grown" };
    let times = match failure.times {
        1 => String::new(),
        times => format!(" {} times", count(times)),
    };
    let failed = format!(
        "an allocation of {} returned NULL{times}: {} in use, {} in live blocks, {limit}, {why}",
        bytes(failure.size),
        pages(failure.pages),
        bytes(failure.live_bytes),
    );
    let mut numbers = vec![
        ("bytes", failure.size),
        ("pages", failure.pages),
        ("live_bytes", failure.live_bytes),
        ("times", failure.times),
    ];
    let (code, severity, message, advice) = match failure.low_memory {
        Some(low) => {
            numbers.push(("low_memory_first", low.first));
            numbers.push(("low_memory_last", low.last));
            numbers.push(("low_memory_changed", low.changed));
            (
                Code::NullIgnored,
                Severity::Error,
                format!(
                    "the program wrote through NULL: {} between {:#x} and {:#x} changed after {failed}",
                    bytes(low.changed),
                    low.first,
                    low.last,
                ),
                "Check what the allocation returned before using it.",
            )
        }
        None => (
            Code::AllocationFailed,
            Severity::Note,
            failed,
            "Nothing below the first data segment changed afterwards, so the program seems to \
             have noticed.",
        ),
    };
    Finding {
        code,
        severity,
        instance: subject.number,
        message,
        numbers: numbers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        stacks: vec![LabelledStack {
            label: "asked for".to_owned(),
            stack: subject.stacks.of(failure.context),
        }],
        advice: advice.to_owned(),
    }
}
