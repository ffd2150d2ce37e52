//! The instances of a program: where they were made, and what their memories hold.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::report::Stack;
use crate::units::count;

use super::lines::nearest_line;
use super::subject::Subject;

/// Instances that were made.
pub(super) struct Made {
    /// How many.
    pub(super) instances: u64,
    /// Where, by what people see of the stacks, and how many there, the most first. Those of which that is not known
    /// are left out.
    pub(super) places: Vec<(Stack, u64)>,
    /// The pages of their memories, at the end.
    pub(super) pages: u64,
    /// The live bytes in these, at the end; `None` where no blocks were seen.
    pub(super) live_bytes: Option<u64>,
    /// How many of the instances were collected as garbage.
    pub(super) collected: u64,
}

impl Made {
    /// The instances with these numbers.
    pub(super) fn of(subject: &Subject<'_, '_>, numbers: &[usize]) -> Made {
        let replay = subject.replay;
        let instances = || numbers.iter().map(|&number| &replay.instances[number]);
        let memories: BTreeSet<usize> = instances().map(|instance| instance.memory).collect();
        let totals = || memories.iter().map(|&number| replay.memories[number].heap.totals());
        let sees_blocks = totals().any(|totals| totals.allocations > 0);
        let live_bytes = || totals().map(|totals| totals.at_end.bytes).fold(0, u64::saturating_add);
        Made {
            instances: numbers.len() as u64,
            places: places(subject, numbers),
            pages: totals().map(|totals| totals.at_end.pages).fold(0, u64::saturating_add),
            live_bytes: sees_blocks.then(live_bytes),
            collected: instances().filter(|instance| instance.collected).count() as u64,
        }
    }

    /// Where most of them were made, in words that follow "instances": `all of them at app.mjs:5`.
    pub(super) fn most(&self) -> Option<String> {
        let (stack, made) = self.places.first()?;
        let all = if *made == self.instances { "all".to_owned() } else { count(*made) };
        Some(format!("{all} of them at {}", nearest_line(stack)?))
    }
}

fn places(subject: &Subject<'_, '_>, numbers: &[usize]) -> Vec<(Stack, u64)> {
    let created = numbers.iter().filter_map(|&number| subject.replay.instances[number].created);
    // Contexts are numbered in the order in which they come.
    let mut of_context = BTreeMap::new();
    for context in created {
        *of_context.entry(context).or_insert(0) += 1;
    }
    let mut places: Vec<(Stack, u64)> = Vec::new();
    for (context, made) in of_context {
        let stack = subject.outside(context);
        match places.iter_mut().find(|(known, _)| *known == stack) {
            Some((_, all)) => *all += made,
            None => places.push((stack, made)),
        }
    }
    // The first of those that come equally often stays first.
    places.sort_by_key(|(_, made)| Reverse(*made));
    places
}
