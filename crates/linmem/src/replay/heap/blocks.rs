//! The blocks of a heap by address: those that live, and those freed last.
//!
//! Real allocators hand out addresses that are close together and multiples of eight. So memory is divided
//! into *spans* of 32 KiB, a span into 64 *lines*, and a line has 64 *places*, eight bytes apart. On each
//! level one word says which of the 64 are in use, and the others take no room. Addresses that are
//! not multiples of eight have spans of their own, by their remainder. A block that ends keeps its
//! place's entry, which the next block there takes over: in a program that comes to rest, nothing is moved.
//!
//! Addresses in a trace can be anything. Sparse ones cost some 200 bytes each, and no operation takes more
//! than a few steps.

mod line;
mod packed;
mod scattered;
mod span;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::Block;
use crate::trace::ContextId;
use line::Entry;
use scattered::Scattered;
use span::{Place, Span};

/// The blocks of a heap.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    spans: HashMap<u64, Span, Scattered>,
    /// Numbers of the spans that have live blocks, whatever their remainders.
    with_live: BTreeSet<u64>,
    /// Remainders by eight that any address had: a bit for each.
    remainders: u8,
    /// The blocks freed last, by address and serial, oldest first.
    freed: VecDeque<(u64, u64)>,
}

/// What was at an address before a block came to live there.
pub(super) enum Before {
    Nothing,
    /// A block that is freed and still remembered.
    Freed,
    Live(Block),
}

impl Blocks {
    /// Freed blocks remembered at most.
    const FREED: usize = 1 << 16;

    /// A live block.
    pub(super) fn get(&self, address: u64) -> Option<&Block> {
        self.spans.get(&key_of(address))?.line(Place::of(address))?.live(Place::of(address))
    }

    /// A live block, to change it.
    pub(super) fn get_mut(&mut self, address: u64) -> Option<&mut Block> {
        let place = Place::of(address);
        self.spans.get_mut(&key_of(address))?.line_mut(place)?.live_mut(place)
    }

    /// The live blocks with their addresses, in no order.
    pub(super) fn live(&self) -> impl Iterator<Item = (u64, Block)> + '_ {
        self.spans.iter().flat_map(|(&key, span)| {
            span.until(Place::LAST).map(move |(place, block)| (place.address(key), *block))
        })
    }

    /// The last live block that starts at an address or before.
    #[inline]
    pub(super) fn last(&self, address: u64) -> Option<(u64, &Block)> {
        let span = span_of(address);
        self.last_in(span, address).or_else(|| {
            let before = *self.with_live.range(..span).next_back()?;
            self.last_in(before, last_of(before))
        })
    }

    /// The live blocks that start at an address or before, the last one first.
    pub(super) fn until(&self, address: u64) -> impl Iterator<Item = (u64, &Block)> {
        let spans = self.with_live.range(..=span_of(address)).rev();
        spans.flat_map(move |&span| {
            let last = address.min(last_of(span));
            let mut of_each = self.remainders().map(move |r| self.until_in(span, r, last));
            // Nearly always there is only one remainder, and nothing to merge.
            let of_one = if self.remainders.is_power_of_two() { of_each.next() } else { None };
            of_one.into_iter().flatten().chain(merged(of_each))
        })
    }

    /// The live blocks of a span that start at an address of it or before and have a remainder, the
    /// last one first.
    fn until_in(
        &self,
        span: u64,
        remainder: u64,
        address: u64,
    ) -> impl Iterator<Item = (u64, &Block)> {
        let key = span * 8 + remainder;
        let last = last_with(remainder, address).filter(|last| span_of(*last) == span);
        let found = last.and_then(|last| Some((Place::of(last), self.spans.get(&key)?)));
        found.into_iter().flat_map(move |(last, span)| {
            span.until(last).map(move |(place, block)| (place.address(key), block))
        })
    }

    /// Adds a live block. Whatever was at its address is forgotten.
    #[inline]
    pub(super) fn insert(&mut self, address: u64, block: Block) -> Before {
        self.remainders |= 1 << (address % 8);
        let span = self.spans.entry(key_of(address)).or_default();
        if !span.has_live() {
            self.with_live.insert(span_of(address));
        }
        span.insert(Place::of(address), block)
    }

    /// Takes a live block out.
    pub(super) fn take(&mut self, address: u64) -> Option<Block> {
        self.end(address, None)
    }

    /// Takes a live block out that is freed, and remembers it.
    #[inline]
    pub(super) fn free(&mut self, address: u64, context: ContextId) -> Option<Block> {
        let block = self.end(address, Some(context))?;
        self.remember(address, block.serial);
        Some(block)
    }

    /// Remembers a freed block that is out already, unless there is another one at its address by
    /// now.
    pub(super) fn add_freed(&mut self, address: u64, block: Block, context: ContextId) {
        self.remainders |= 1 << (address % 8);
        let span = self.spans.entry(key_of(address)).or_default();
        if span.set_ended(Place::of(address), Entry { block, freed: Some(context) }) {
            self.remember(address, block.serial);
        }
    }

    /// The block that was freed last at an address, and where, if none lives there and it is
    /// still remembered.
    pub(super) fn freed(&self, address: u64) -> Option<(Block, ContextId)> {
        let place = Place::of(address);
        let entry = self.spans.get(&key_of(address))?.line(place)?.ended(place)?;
        Some((entry.block, entry.freed?))
    }

    #[inline]
    fn end(&mut self, address: u64, freed: Option<ContextId>) -> Option<Block> {
        let span = self.spans.get_mut(&key_of(address))?;
        let block = span.end(Place::of(address), freed)?;
        if !span.has_live() {
            self.span_ended(span_of(address));
        }
        Some(block)
    }

    /// The addresses of a span that have one remainder have no live blocks any more.
    fn span_ended(&mut self, span: u64) {
        let has_live = |key: u64| self.spans.get(&key).is_some_and(Span::has_live);
        if !self.remainders().any(|remainder| has_live(span * 8 + remainder)) {
            self.with_live.remove(&span);
        }
    }

    /// The last live block of a span that starts at an address of it or before.
    #[inline]
    fn last_in(&self, span: u64, address: u64) -> Option<(u64, &Block)> {
        let lasts = self.remainders().filter_map(|remainder| {
            let last = last_with(remainder, address).filter(|last| span_of(*last) == span)?;
            let key = key_of(last);
            let (place, block) = self.spans.get(&key)?.last(Place::of(last))?;
            Some((place.address(key), block))
        });
        lasts.reduce(|one, other| if one.0 > other.0 { one } else { other })
    }

    #[inline]
    fn remainders(&self) -> impl Iterator<Item = u64> + use<> {
        let mut remainders = self.remainders;
        std::iter::from_fn(move || {
            let remainder = remainders.checked_ilog2()?;
            remainders ^= 1 << remainder;
            Some(u64::from(remainder))
        })
    }

    fn remember(&mut self, address: u64, serial: u64) {
        self.freed.push_back((address, serial));
        if self.freed.len() > Self::FREED
            && let Some((address, serial)) = self.freed.pop_front()
        {
            self.forget(address, serial);
        }
    }

    fn forget(&mut self, address: u64, serial: u64) {
        let Some(span) = self.spans.get_mut(&key_of(address)) else { return };
        span.forget(Place::of(address), serial);
        if span.is_unused() {
            self.spans.remove(&key_of(address));
        }
    }
}

const SPAN_BYTES: u64 = 1 << 15;

fn span_of(address: u64) -> u64 {
    address / SPAN_BYTES
}

/// The last address of a span.
fn last_of(span: u64) -> u64 {
    span * SPAN_BYTES + (SPAN_BYTES - 1)
}

/// Merges lists of blocks, each of which is in descending order of addresses.
fn merged<'b>(
    lists: impl Iterator<Item = impl Iterator<Item = (u64, &'b Block)>>,
) -> impl Iterator<Item = (u64, &'b Block)> {
    let mut lists: Vec<_> = lists.map(Iterator::peekable).collect();
    std::iter::from_fn(move || {
        let next = lists.iter_mut().map(|blocks| blocks.peek().map(|(address, _)| *address));
        let (last, _) = next.enumerate().max_by_key(|(_, address)| *address)?;
        lists[last].next()
    })
}

/// The last address up to this one that has a remainder.
#[inline]
fn last_with(remainder: u64, address: u64) -> Option<u64> {
    address.checked_sub(address.wrapping_sub(remainder) % 8)
}

/// A span's number together with an address's remainder.
fn key_of(address: u64) -> u64 {
    span_of(address) * 8 + address % 8
}
