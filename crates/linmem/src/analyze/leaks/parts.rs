//! Which of the blocks that exports returned are parts of an object that the host holds, too.
//!
//! A getter returns the address of an object's buffer: the host has both, and is to give back the object alone. That a
//! block points to another does not show that it owns it: a database points to its newest statement, a list to its
//! items, an iterator to its map. So no block of the same call stack points to a part, and of the objects that do, one alone
//! was there before it or was made by the same line; and that has no other part like it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::mark::{Live, Mark};
use super::{Holder, Kind};
use crate::analyze::subject::Memory;
use crate::replay::contexts::CallerStack;
use crate::replay::heap::Crossed;
use crate::trace::ContextId;

/// Marks them.
pub fn tell(memory: Memory<'_, '_>, mark: &mut Mark<'_>) {
    let mut wholes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for whole in (0..mark.kinds.len()).filter(|&block| crossed(mark, block).is_some()) {
        for part in mark.owned_by(whole).filter(|&part| part != whole) {
            if matches!(crossed(mark, part), Some(Crossed::Returned(_))) {
                wholes.entry(part).or_default().push(whole);
            }
        }
    }
    let mut parts: BTreeMap<(usize, ContextId), Vec<usize>> = BTreeMap::new();
    for (part, mut wholes) in wholes {
        wholes.dedup();
        let context = live(mark, part).block.context;
        if wholes.iter().any(|&whole| live(mark, whole).block.context == context) {
            continue; // neighbours in a list
        }
        wholes.retain(|&whole| may_own(memory, mark, whole, part));
        if let &[whole] = &wholes[..] {
            parts.entry((whole, context)).or_default().push(part);
        }
    }
    let mut of_place: BTreeMap<(ContextId, Crossed), BTreeMap<Crossed, Vec<usize>>> =
        BTreeMap::new();
    for ((whole, context), parts) in parts {
        if let (&[part], Some(of_whole)) = (&parts[..], crossed(mark, whole))
            && let Some(of_part) = crossed(mark, part)
        {
            of_place.entry((context, of_part)).or_default().entry(of_whole).or_default().push(part);
        }
    }
    for ((context, part), by_whole) in of_place {
        let like = |&block: &usize| {
            live(mark, block).block.context == context && crossed(mark, block) == Some(part)
        };
        let like: Vec<usize> = (0..mark.kinds.len()).filter(like).collect();
        for (whole, parts) in by_whole {
            // One word that is left over somewhere must not tear apart what is alike.
            if parts.len() * 2 > like.len() {
                like.iter().for_each(|&block| {
                    mark.kinds[block] = Kind::HostHeld(Holder::HasPart { part, whole });
                });
                parts.into_iter().for_each(|block| mark.is_part[block] = true);
            }
        }
    }
}

/// Whether a block that points to another may own it.
fn may_own(memory: Memory<'_, '_>, mark: &Mark<'_>, whole: usize, part: usize) -> bool {
    let contexts = &memory.subject.replay.contexts;
    let [whole_live, part_live] = [whole, part].map(|block| live(mark, block).block);
    let caller = |context| (contexts.entry(context), contexts.caller_stack(context));
    let is_of_the_same_line = || {
        let (caller_of_whole, caller_of_part) =
            (caller(whole_live.context), caller(part_live.context));
        matches!(caller_of_whole.1, CallerStack::Taken(_)) && caller_of_whole == caller_of_part
    };
    let points_back = || mark.owned_by(part).any(|block| block == whole);
    whole_live.serial < part_live.serial || (is_of_the_same_line() && !points_back())
}

/// How the host got the address of a block, if it holds it.
fn crossed(mark: &Mark<'_>, block: usize) -> Option<Crossed> {
    match mark.kinds[block] {
        Kind::HostHeld(Holder::Has(crossed)) => Some(crossed),
        _ => None,
    }
}

fn live(mark: &Mark<'_>, block: usize) -> Live {
    mark.blocks.live[block]
}
