//! Blocks that calls of one function, from one line where that is known, go on to keep, though the module still points to
//! them: a list of handles, of which nobody has closed one, looks like this.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::replay::heap::Held;
use crate::report::{Code, Finding};
use crate::trace::ContextId;
use crate::units::number_of;

use super::super::exports::{self, Callers, FEWEST_TO_JUDGE, PARTS};
use super::super::lines::user_line;
use super::super::subject::Memory;
use super::findings::{Groups, blocks_text};
use super::{Kind, once, sum_of};

/// It is at least this part of the whole run.
const SHORTEST_SPAN: u64 = 8;

/// Lines of which there is a note.
const MOST_LINES: usize = 3;

/// A function of a module that the host called, and the user's own line that did so: none where promises leave none.
type Calls = (usize, u32, Option<String>);

/// What is left of the blocks that some calls allocated.
#[derive(Default)]
struct Left {
    held: Held,
    serials: Vec<u64>,
    of_place: BTreeMap<ContextId, Held>,
}

/// One note for each line that goes on to keep blocks, most bytes first.
pub(super) fn findings(memory: Memory<'_, '_>, reachable: &Groups<'_>) -> Vec<Finding> {
    if sum_of(reachable.iter().map(|(_, group)| *group)).blocks < FEWEST_TO_JUDGE {
        return Vec::new();
    }
    // Where some of a place's blocks are lost or the host has them, that is told.
    let others = memory.leaks().groups.keys().filter(|(kind, _)| *kind != Kind::Reachable);
    let others: BTreeSet<ContextId> = others.map(|(_, place)| *place).collect();
    let places = reachable.iter().map(|((_, place), _)| *place);
    let places = places.filter(|place| !others.contains(place));
    // Blocks are many, and the places where they were allocated few.
    let of_place: BTreeMap<ContextId, Calls> =
        places.filter_map(|place| Some((place, calls(memory, place)?))).collect();
    let mut left: BTreeMap<&Calls, Left> = BTreeMap::new();
    for (_, block) in memory.heap().live() {
        let place = memory.likely_place(block.context);
        let Some(calls) = of_place.get(&place) else { continue };
        let left = left.entry(calls).or_default();
        let held = Held { blocks: 1, bytes: block.size };
        left.held += held;
        left.serials.push(block.serial);
        *left.of_place.entry(place).or_default() += held;
    }
    left.retain(|calls, left| {
        left.held.blocks >= FEWEST_TO_JUDGE
            && times(memory, calls) >= FEWEST_TO_JUDGE
            && goes_on(memory, calls, left)
    });
    if left.is_empty() {
        return Vec::new();
    }
    let came_to_rest = exports::at_rest(memory);
    left.retain(|(module, function, _), _| !came_to_rest.contains(&(*module, *function)));
    let lines: BTreeSet<(usize, u32)> = left
        .keys()
        .filter(|(_, _, line)| line.is_some())
        .map(|(module, function, _)| (*module, *function))
        .collect();
    left.retain(|(module, function, line), _| {
        line.is_some() || !lines.contains(&(*module, *function))
    });
    let mut left: Vec<(&Calls, Left)> = left.into_iter().collect();
    left.sort_by_key(|(_, left)| Reverse(left.held.bytes));
    left.into_iter()
        .take(MOST_LINES)
        .filter_map(|(calls, left)| finding(memory, calls, &left))
        .collect()
}

/// Whose calls allocated at a place.
fn calls(memory: Memory<'_, '_>, place: ContextId) -> Option<Calls> {
    let (module, function) = exports::entered(memory, place)?;
    let stack = memory.subject.outside(place);
    Some((module, function, user_line(&stack).map(str::to_owned)))
}

/// How many calls there were, of those that were looked at.
fn times(memory: Memory<'_, '_>, (module, function, line): &Calls) -> u64 {
    match line {
        Some(line) => Callers::of(memory, *module, &[*function]).of_line(line),
        None => exports::calls(memory, (*module, *function)),
    }
}

/// Whether each part of the run from the first of these blocks on left some, and other blocks were allocated meanwhile. What
/// one of many calls allocated at once does not go on, nor does a cache that is full. The first call may leave much that is
/// there once.
fn goes_on(memory: Memory<'_, '_>, (module, function, _): &Calls, left: &Left) -> bool {
    let is_of_first = |serial: u64| once::is_of_first_call(memory, (*module, *function), serial);
    let serials: Vec<u64> =
        left.serials.iter().copied().filter(|serial| !is_of_first(*serial)).collect();
    let blocks = serials.len() as u64;
    let totals = memory.heap().totals();
    let in_all = totals.allocations.saturating_add(totals.reallocations);
    let Some(first) = serials.iter().copied().min() else { return false };
    let span = in_all.saturating_sub(first).saturating_add(1);
    let mut parts = [0; PARTS as usize];
    for serial in &serials {
        let part = u128::from(serial - first) * u128::from(PARTS) / u128::from(span);
        parts[(part as usize).min(parts.len() - 1)] += 1;
    }
    blocks >= FEWEST_TO_JUDGE
        && span >= in_all / SHORTEST_SPAN
        && blocks <= span / 4 * 3
        && parts.iter().all(|part| *part >= blocks / (2 * PARTS))
}

fn finding(
    memory: Memory<'_, '_>,
    (module, function, line): &Calls,
    left: &Left,
) -> Option<Finding> {
    let (place, _) = left.of_place.iter().max_by_key(|(_, held)| held.bytes)?;
    let user = memory.users().find(|user| user.recorded().module == *module)?;
    let name = user.export_name(*function);
    let line = line.as_ref().map_or(String::new(), |line| format!(" at {line}"));
    let message = format!(
        "calls of `{name}`{line} keep more and more: {} that they allocated are still pointed to at the end",
        blocks_text(left.held),
    );
    let finding = Finding::new(Code::KeptByCalls)
        .about(memory.first_user())
        .message(message)
        .number("blocks", left.held.blocks)
        .number("bytes", left.held.bytes)
        .stack(
            format!("allocated: {}", number_of(left.of_place[place].blocks, "block")),
            memory.stack(*place),
        );
    Some(finding.advice(
        "If they are of what you are done with, close, delete or free it: the module itself still has it, perhaps in a list.",
    ))
}
