//! What is known of 64 addresses.

use super::packed::{Packed, Places};
use super::span::Place;
use super::{Before, Block};
use crate::trace::ContextId;

/// The entries of a line.
#[derive(Debug, Default)]
pub(super) struct Line {
    entries: Packed<Entry>,
    /// Where blocks live.
    live: Places,
}

/// A block, and where it was freed, if it was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub block: Block,
    pub freed: Option<ContextId>,
}

impl Line {
    pub(super) fn has_live(&self) -> bool {
        !self.live.is_empty()
    }

    pub(super) fn is_unused(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn live(&self, place: Place) -> Option<&Block> {
        self.entries.get(place.in_line).filter(|_| self.is_live(place)).map(|entry| &entry.block)
    }

    pub(super) fn live_mut(&mut self, place: Place) -> Option<&mut Block> {
        let is_live = self.is_live(place);
        let entry = self.entries.get_mut(place.in_line).filter(|_| is_live)?;
        Some(&mut entry.block)
    }

    /// The entry of a block that does not live any more.
    pub(super) fn ended(&self, place: Place) -> Option<&Entry> {
        self.entries.get(place.in_line).filter(|_| !self.is_live(place))
    }

    /// The live blocks up to a place, the last one first.
    pub(super) fn until(&self, place: u32) -> impl Iterator<Item = (u32, &Block)> {
        let entries = self.entries.until(place).filter(|(place, _)| self.live.has(*place));
        entries.map(|(place, entry)| (place, &entry.block))
    }

    /// The last live block at a place or before.
    #[inline]
    pub(super) fn last(&self, place: u32) -> Option<(u32, &Block)> {
        let last = self.live.until(place).last()?;
        Some((last, &self.entries.get(last)?.block))
    }

    #[inline]
    pub(super) fn insert(&mut self, place: Place, block: Block) -> Before {
        let new = Entry { block, freed: None };
        let was_live = self.is_live(place);
        self.live.add(place.in_line);
        let before = std::mem::replace(self.entries.get_or_insert(place.in_line, || new), new);
        match before.freed {
            _ if was_live => Before::Live(before.block),
            Some(_) => Before::Freed,
            None => Before::Nothing,
        }
    }

    /// Sets the entry of a place where no block lives; whether that is so.
    pub(super) fn set_ended(&mut self, place: Place, entry: Entry) -> bool {
        if self.is_live(place) {
            return false;
        }
        *self.entries.get_or_insert(place.in_line, || entry) = entry;
        true
    }

    /// Ends a live block. Its entry stays.
    #[inline]
    pub(super) fn end(&mut self, place: Place, freed: Option<ContextId>) -> Option<Block> {
        if !self.is_live(place) {
            return None;
        }
        self.live.remove(place.in_line);
        let entry = self.entries.get_mut(place.in_line)?;
        entry.freed = freed;
        Some(entry.block)
    }

    /// Removes the entry of the freed block that has this serial.
    pub(super) fn forget(&mut self, place: Place, serial: u64) {
        let is_it = |entry: &Entry| entry.freed.is_some() && entry.block.serial == serial;
        if self.ended(place).is_some_and(is_it) {
            self.entries.remove(place.in_line);
        }
    }

    #[inline]
    fn is_live(&self, place: Place) -> bool {
        self.live.has(place.in_line)
    }
}
