//! What it costs to make a new instance for each call.

use std::collections::BTreeMap;

use crate::module::PAGE_BYTES;
use crate::report::{Code, Finding};
use crate::units::{bytes, count, pages, ranges};

use super::{Subject, memories_of};

/// Instances of one module from which on each call seems to have one of its own.
const MANY_INSTANCES: usize = 5;

/// One finding for each module with many instances.
pub(super) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    let mut of_module: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, instance) in subject.replay.instances.iter().enumerate() {
        // Instances that share a memory are not made for one call each.
        if subject.replay.memories[instance.memory].users.first() == Some(&number) {
            of_module.entry(instance.module).or_default().push(number);
        }
    }
    let many = of_module.into_iter().filter(|(_, numbers)| numbers.len() >= MANY_INSTANCES);
    many.map(|(module, numbers)| finding(subject, module, &numbers)).collect()
}

fn finding(subject: &Subject<'_, '_>, module: usize, numbers: &[usize]) -> Finding {
    let replay = subject.replay;
    let memories = memories_of(replay, numbers).into_iter();
    let held =
        memories.map(|memory| memory.heap.totals().at_end.pages).fold(0, u64::saturating_add);
    let message = format!(
        "{} instances of {} were made ({}), with a memory each: {} ({}) in all",
        count(numbers.len() as u64),
        replay.modules[module].name,
        ranges(numbers),
        pages(held),
        bytes(held.saturating_mul(PAGE_BYTES)),
    );
    Finding::new(Code::InstancePerCall)
        .about(numbers[0])
        .message(message)
        .number("instances", numbers.len() as u64)
        .number("pages", held)
        .advice("Make one instance and call it again, unless each call is to start afresh.")
}
