//! The instances that did the work while another memory was watched.

use std::collections::BTreeSet;

use crate::replay::{RecordedInstance, Replay, SizeRead};
use crate::units::{bytes, count, number_of, ranges};

use super::{allocations, memories_of};

/// Instances that do not use a watched memory, and allocated after it was first read. Where it has users,
/// only other instances of the same module count.
pub(super) fn at_work(replay: &Replay, users: &[usize], first: &SizeRead) -> Vec<usize> {
    let module = users.first().map(|&user| replay.instances[user].module);
    let worked = |(number, instance): &(usize, &RecordedInstance)| {
        let same_module = module.is_none_or(|module| module == instance.module);
        let later = instance.active.is_some_and(|(_, last)| last > first.events_before);
        let worked = allocations(&replay.memories[instance.memory]) > 0;
        same_module && later && worked && !users.contains(number)
    };
    replay.instances.iter().enumerate().filter(worked).map(|(number, _)| number).collect()
}

/// What instances did, as in "instances 9 to 25, which made 17 allocations; ...".
pub(super) fn work_of(replay: &Replay, numbers: &[usize]) -> String {
    let memories = memories_of(replay, numbers);
    let memories = || memories.iter().copied();
    let all: u64 = memories().map(allocations).sum();
    let left = memories().map(|memory| memory.heap.totals().at_end.bytes);
    let left = left.fold(0, u64::saturating_add);
    let starts: BTreeSet<u64> = memories().map(|memory| memory.initial_pages).collect();
    let ends: BTreeSet<u64> = memories().map(|memory| memory.heap.totals().at_end.pages).collect();
    let grew = if starts == ends {
        format!("stayed at {} pages", span(&starts))
    } else {
        format!("grew from {} to {} pages", span(&starts), span(&ends))
    };
    let freed = if left == 0 {
        "and freed everything".to_owned()
    } else {
        format!("and left {} allocated", bytes(left))
    };
    let made = number_of(all, "allocation");
    match numbers {
        [one] => format!("instance {one}, which made {made}, {grew} {freed}"),
        _ => format!("instances {}, which made {made}; each {grew} {freed}", ranges(numbers)),
    }
}

/// One number, or from the least to the most.
fn span(sizes: &BTreeSet<u64>) -> String {
    match (sizes.first(), sizes.last()) {
        (Some(least), Some(most)) if least < most => format!("{}–{}", count(*least), count(*most)),
        (size, _) => count(size.copied().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_as_spans() {
        assert_eq!(span(&BTreeSet::from([4])), "4");
        assert_eq!(span(&BTreeSet::from([2, 3, 1_000])), "2–1,000");
    }
}
