//! Which of the blocks that exports returned are parts of an object that the host holds, too.
//!
//! A getter returns the address of an object's buffer, or an object keeps the text that it was made of: the host has both, and
//! is to give back the object first. That a block leads to another does not show that it owns it: a database leads to its
//! newest statement, a list to its items. So no block of the same call stack leads to a part, and of the objects one alone,
//! which leads to no other part like it. Of two that lead to each other, the older one has the other.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::mark::Mark;
use super::{Holder, Kind};
use crate::replay::heap::{Block, Crossed};
use crate::trace::ContextId;

/// How many blocks that the host holds are looked at, how many to which each of them leads, and how large these are at most: an
/// object's own.
const MOST_HELD: usize = 8192;
const MOST_BELOW: usize = 32;
const LARGEST_BELOW: u64 = 1024;

/// Where blocks were allocated, and how the host got them.
type Place = (ContextId, Crossed);

/// Marks them.
pub fn tell(mark: &mut Mark<'_>) {
    let all = 0..mark.kinds.len();
    let held: Vec<usize> = all.filter(|&block| crossed(mark, block).is_some()).collect();
    if held.len() > MOST_HELD {
        return;
    }
    let mut of_place: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
    for &block in &held {
        of_place.entry(place(mark, block)).or_default().push(block);
    }
    let mut parts: BTreeMap<(Place, Crossed), Vec<usize>> = BTreeMap::new();
    for (part, whole) in only_parts(mark, &held) {
        let (_, of_whole) = place(mark, whole);
        parts.entry((place(mark, part), of_whole)).or_default().push(part);
    }
    for ((place, whole), parts) in parts {
        // One word that is left over somewhere must not tear apart what is alike.
        let alike = &of_place[&place];
        if parts.len() * 2 > alike.len() {
            let (_, part) = place;
            for &block in alike {
                mark.kinds[block] = Kind::HostHeld(Holder::HasPart { part, whole });
            }
            parts.into_iter().for_each(|block| mark.is_part[block] = true);
        }
    }
}

/// The blocks that seem to be parts, each with the object that has no other part like it.
fn only_parts(mark: &Mark<'_>, held: &[usize]) -> Vec<(usize, usize)> {
    let leads_to: BTreeMap<usize, BTreeSet<usize>> =
        held.iter().map(|&whole| (whole, held_below(mark, whole))).collect();
    let mut wholes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (&whole, below) in &leads_to {
        for &part in below {
            if matches!(crossed(mark, part), Some(Crossed::Returned(_))) {
                wholes.entry(part).or_default().push(whole);
            }
        }
    }
    let mut parts: BTreeMap<(usize, ContextId), Vec<usize>> = BTreeMap::new();
    for (part, mut wholes) in wholes {
        let Block { context, serial, .. } = block_of(mark, part);
        if wholes.iter().any(|&whole| block_of(mark, whole).context == context) {
            continue; // neighbours in a list
        }
        wholes.retain(|&whole| {
            block_of(mark, whole).serial < serial || !leads_to[&part].contains(&whole)
        });
        if let &[whole] = &wholes[..] {
            parts.entry((whole, context)).or_default().push(part);
        }
    }
    let only = parts.into_iter().filter_map(|((whole, _), parts)| match parts[..] {
        [part] => Some((part, whole)),
        _ => None,
    });
    only.collect()
}

/// The blocks that the host holds to which this one leads, past others that it does not hold.
fn held_below(mark: &Mark<'_>, whole: usize) -> BTreeSet<usize> {
    let (mut below, mut seen) = (BTreeSet::new(), BTreeSet::from([whole]));
    let mut pending = vec![whole];
    while let Some(from) = pending.pop() {
        for to in mark.owned_by(from) {
            if seen.len() > MOST_BELOW || !seen.insert(to) {
                continue;
            }
            if crossed(mark, to).is_some() {
                below.insert(to);
            } else if matches!(mark.kinds[to], Kind::HostHeld(Holder::LedTo(_)))
                && mark.blocks.live[to].extent <= LARGEST_BELOW
            {
                pending.push(to);
            }
        }
    }
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
fn place(mark: &Mark<'_>, block: usize) -> Place {
    (block_of(mark, block).context, crossed(mark, block).unwrap_or(Crossed::Inside))
}

fn block_of(mark: &Mark<'_>, index: usize) -> Block {
    mark.blocks.live[index].block
}
