//! What it costs to make a new instance for each call.

use std::collections::BTreeMap;

use crate::module::PAGE_BYTES;
use crate::report::{Code, Finding, Stack};
use crate::units::{bytes, count, pages, ranges, times};

use super::super::lines::user_line;
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
    let place = most_made(subject, numbers);
    let line = place.as_ref().and_then(|(stack, made)| {
        let all = if *made == numbers.len() as u64 { "all".to_owned() } else { count(*made) };
        Some(format!(", {all} of them at {}", user_line(stack)?))
    });
    let message = format!(
        "{} instances of {} were made ({}){}, with a memory each: {} ({}) in all",
        count(numbers.len() as u64),
        replay.modules[module].name,
        ranges(numbers),
        line.unwrap_or_default(),
        pages(held),
        bytes(held.saturating_mul(PAGE_BYTES)),
    );
    let finding = Finding::new(Code::InstancePerCall)
        .about(numbers[0])
        .message(message)
        .number("instances", numbers.len() as u64)
        .number("pages", held)
        .advice("Make one instance and call it again, unless each call is to start afresh.");
    match place {
        Some((stack, made)) => finding.stack(format!("made {}", times(made)), stack),
        None => finding,
    }
}

/// Where most of these instances were made, by what people see of the stacks, and how many were.
fn most_made(subject: &Subject<'_, '_>, numbers: &[usize]) -> Option<(Stack, u64)> {
    let created = numbers.iter().filter_map(|&number| subject.replay.instances[number].created);
    let mut places: Vec<(Stack, u64)> = Vec::new();
    for stack in created.map(|context| subject.outside(context)) {
        match places.iter_mut().find(|(known, _)| *known == stack) {
            Some((_, made)) => *made += 1,
            None => places.push((stack, 1)),
        }
    }
    // The first of those that come equally often.
    places.into_iter().rev().max_by_key(|(_, made)| *made)
}
