//! What the sizes mean that a program read of its memories: whether it watched the memory that did
//! the work, and at the right time. Needs a recording of a host that tells its size reads.

mod answer;
mod foreign_memory;
mod grown_and_held;
mod high_memory;
mod idle_instance;
mod instances_per_call;
mod no_growth_needed;
mod others;
mod readings;
mod stale_views;
mod too_early;
mod witnesses;

use std::collections::BTreeSet;

use crate::replay::{RecordedMemory, Replay, SizeReads};
use crate::report::Finding;

use super::refusals;
use super::subject::Subject;
pub(crate) use answer::answer;
use readings::Readings;

/// All size reads of one memory.
struct Watched<'a> {
    memory: usize,
    reads: &'a SizeReads,
    /// The instances that use it.
    users: Vec<usize>,
    /// The instances that do not use it, and allocated after it was first read.
    others: Vec<usize>,
}

impl Watched<'_> {
    /// Allocations of the instances that use the memory, from the first read to the last.
    fn allocations_between(&self) -> u64 {
        self.reads.last.allocations_before - self.reads.first.allocations_before
    }

    /// Calls of the exports of the instances that use the memory, from the first read to the last.
    fn calls_between(&self) -> u64 {
        self.reads.last.calls_before.saturating_sub(self.reads.first.calls_before)
    }
}

/// Why the sizes were what they were: the first that applies explains it.
const EXPLANATIONS: [fn(&Subject<'_, '_>, &Watched<'_>) -> Option<Finding>; 4] = [
    foreign_memory::finding,
    too_early::finding,
    idle_instance::finding,
    no_growth_needed::finding,
];

/// Explains the sizes that a program read.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    let mut findings = stale_views::findings(subject);
    findings.extend(witnesses::findings(subject));
    let readings = readings::of_program(subject);
    for watched in watched(subject.replay, &readings) {
        findings.extend(EXPLANATIONS.iter().find_map(|explain| explain(subject, &watched)));
        findings.extend(grown_and_held::findings(subject, &watched));
    }
    findings.extend(high_memory::findings(subject));
    if !refusals::are_of_many(subject) {
        findings.extend(instances_per_call::findings(subject));
    }
    findings
}

fn watched<'a>(replay: &Replay, readings: &'a Readings) -> impl Iterator<Item = Watched<'a>> {
    // One look is not a measurement.
    let reads = readings.iter().filter(|(_, reads)| reads.count > 1);
    reads.map(|(&memory, reads)| {
        let users = replay.memories[memory].users.clone();
        let others = others::at_work(replay, &users, &reads.first);
        Watched { memory, reads, users, others }
    })
}

/// The memories of these instances, each once.
fn memories_of<'r>(replay: &'r Replay, instances: &[usize]) -> Vec<&'r RecordedMemory> {
    let numbers: BTreeSet<usize> =
        instances.iter().map(|&number| replay.instances[number].memory).collect();
    numbers.into_iter().map(|number| &replay.memories[number]).collect()
}

fn allocations(memory: &RecordedMemory) -> u64 {
    memory.heap.totals().allocations
}
