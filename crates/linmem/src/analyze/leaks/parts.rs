//! Which of the blocks that exports returned are parts of an object that the host holds, too.
//!
//! A getter returns the address of an object's buffer, or an object keeps the text that it was made of: the host has both, and
//! is to give back the object first. That a block leads to another does not show that it owns it: a database leads to its
//! newest statement, a list to its items. So no block of the same call stack leads to a part, nor do two objects that are alike,
//! and the object leads to no other part like it. Of two that lead to each other, and of several that lead to a part, the oldest
//! one has it.

#[cfg(test)]
mod tests;

use super::mark::Mark;
use super::{Holder, Kind};
use crate::replay::heap::{Block, Crossed};
use crate::trace::ContextId;

/// How many blocks that the host holds are looked at, how many to which each of them leads, and how large these are at most: an
/// object's own.
const MOST_HELD: usize = 8192;
const MOST_BELOW: usize = 32;
const LARGEST_BELOW: u64 = 1024;

/// How many lead to a part at most.
const MOST_WHOLES: usize = 8;

/// Two blocks: lists of pairs are sorted and cut, since a map for each step would be most of what this adds to the library as
/// WebAssembly.
type Pair = (usize, usize);

/// Marks them.
pub fn tell(mark: &mut Mark<'_>) {
    let all = 0..mark.kinds.len();
    let held: Vec<usize> = all.filter(|&block| crossed(mark, block).is_some()).collect();
    if held.len() > MOST_HELD {
        return;
    }
    let mut parts = only_parts(mark, &held);
    let kind = |mark: &Mark<'_>, (part, whole): Pair| (place(mark, part), crossed(mark, whole));
    parts.sort_unstable_by_key(|&pair| kind(mark, pair));
    let mut told = Vec::new();
    for parts in parts.chunk_by(|&one, &next| kind(mark, one) == kind(mark, next)) {
        let (place_of_parts, of_whole) = kind(mark, parts[0]);
        let alike = held.iter().copied().filter(|&block| place(mark, block) == place_of_parts);
        let alike: Vec<usize> = alike.collect();
        // One word that is left over somewhere must not tear apart what is alike.
        if parts.len() * 2 > alike.len()
            && let ((_, Some(part)), Some(whole)) = (place_of_parts, of_whole)
        {
            told.push((parts.to_vec(), alike, Kind::HostHeld(Holder::HasPart { part, whole })));
        }
    }
    for (parts, alike, kind) in told {
        parts.into_iter().for_each(|(part, _)| mark.is_part[part] = true);
        alike.into_iter().for_each(|block| mark.kinds[block] = kind);
    }
}

/// The blocks that seem to be parts, each with the object that has no other part like it.
fn only_parts(mark: &Mark<'_>, held: &[usize]) -> Vec<Pair> {
    let leads_to: Vec<Pair> = held
        .iter()
        .flat_map(|&from| held_below(mark, from).into_iter().map(move |to| (from, to)))
        .collect();
    let returned = |block: usize| matches!(crossed(mark, block), Some(Crossed::Returned(_)));
    let led_to = leads_to.iter().filter(|(_, part)| returned(*part));
    let mut led_to: Vec<Pair> = led_to.map(|&(whole, part)| (part, whole)).collect();
    led_to.sort_unstable();
    let mut parts: Vec<Pair> = Vec::new();
    for of_part in led_to.chunk_by(|one, next| one.0 == next.0) {
        let Block { context, serial, .. } = block_of(mark, of_part[0].0);
        let is_neighbour = |&(_, whole): &Pair| block_of(mark, whole).context == context;
        if of_part.len() > MOST_WHOLES || of_part.iter().any(is_neighbour) {
            continue; // what many share, or a list
        }
        let may_have_it = |&&(part, whole): &&Pair| {
            block_of(mark, whole).serial < serial || leads_to.binary_search(&(part, whole)).is_err()
        };
        let wholes: Vec<Pair> = of_part.iter().filter(may_have_it).copied().collect();
        let context_of = |&(_, whole): &Pair| block_of(mark, whole).context;
        let has_double = |one: &Pair| {
            wholes.iter().filter(|other| context_of(other) == context_of(one)).count() > 1
        };
        let oldest = wholes.iter().min_by_key(|&&(_, whole)| block_of(mark, whole).serial);
        if let (Some(&(part, whole)), false) = (oldest, wholes.iter().any(has_double)) {
            parts.push((whole, part));
        }
    }
    parts.sort_unstable();
    let of_whole = parts.chunk_by(|one, next| one.0 == next.0);
    let only = of_whole.flat_map(|parts| {
        let context = |pair: &Pair| block_of(mark, pair.1).context;
        let is_only = move |pair: &&Pair| {
            parts.iter().filter(|other| context(other) == context(pair)).count() == 1
        };
        parts.iter().filter(is_only).map(|&(whole, part)| (part, whole))
    });
    only.collect()
}

/// The blocks that the host holds to which this one leads, past others that it does not hold, in order.
fn held_below(mark: &Mark<'_>, whole: usize) -> Vec<usize> {
    let (mut below, mut seen, mut pending) = (Vec::new(), vec![whole], vec![whole]);
    while let Some(from) = pending.pop() {
        for to in mark.owned_by(from) {
            if seen.len() > MOST_BELOW || seen.contains(&to) {
                continue;
            }
            seen.push(to);
            if crossed(mark, to).is_some() {
                below.push(to);
            } else if matches!(mark.kinds[to], Kind::HostHeld(Holder::LedTo(_)))
                && mark.blocks.live[to].extent <= LARGEST_BELOW
            {
                pending.push(to);
            }
        }
    }
    below.sort_unstable();
    below
}

/// How the host got the address of a block, if it holds it.
fn crossed(mark: &Mark<'_>, block: usize) -> Option<Crossed> {
    match mark.kinds[block] {
        Kind::HostHeld(Holder::Has(crossed)) => Some(crossed),
        _ => None,
    }
}

/// The same, and where it was allocated.
fn place(mark: &Mark<'_>, block: usize) -> (ContextId, Option<Crossed>) {
    (block_of(mark, block).context, crossed(mark, block))
}

fn block_of(mark: &Mark<'_>, index: usize) -> Block {
    mark.blocks.live[index].block
}
