//! Allocations that returned NULL, and whether the program wrote through it.

use crate::heap::Failure;
use crate::report::text::{bytes, count, pages};
use crate::report::{Code, Finding, LabelledStack, Severity};

use super::Subject;

/// One finding for each context in which an allocation failed, in the order of the first times.
pub fn findings(subject: &Subject<'_>) -> Vec<Finding> {
    subject.instance.heap.failures().iter().map(|failure| finding(subject, failure)).collect()
}

fn finding(subject: &Subject<'_>, failure: &Failure) -> Finding {
    let limit = match subject.instance.max_pages {
        Some(max) => format!("the maximum is {}", pages(max)),
        None => "no maximum is declared".to_owned(),
    };
    let why = if failure.growth_refused { "memory.grow was refused" } else { "memory was not grown" };
    let mut message = format!(
        "an allocation of {} returned NULL: {} in use by {} of live blocks, {limit}, {why}",
        bytes(failure.size),
        pages(failure.pages),
        bytes(failure.live_bytes),
    );
    if failure.times > 1 {
        message.push_str(&format!(" ({} times here)", count(failure.times)));
    }
    let mut numbers = vec![
        ("bytes", failure.size),
        ("pages", failure.pages),
        ("live_bytes", failure.live_bytes),
        ("times", failure.times),
    ];
    let (code, severity, advice) = match failure.low_memory {
        Some(low) => {
            message.push_str(&format!(
                "; afterwards {} between {:#x} and {:#x} changed, where no data is",
                bytes(low.changed),
                low.first,
                low.last,
            ));
            numbers.push(("low_memory_first", low.first));
            numbers.push(("low_memory_last", low.last));
            numbers.push(("low_memory_changed", low.changed));
            (
                Code::NullIgnored,
                Severity::Error,
                "The program used the NULL: check what the allocation returned before using it.",
            )
        }
        None => (
            Code::AllocationFailed,
            Severity::Note,
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
