//! The lines of 32 KiB of memory.

use super::line::{Entry, Line};
use super::packed::{Packed, Places};
use super::{Before, Block, SPAN_BYTES};
use crate::trace::ContextId;

/// A span, for addresses that have the same remainder by eight.
#[derive(Debug, Default)]
pub(super) struct Span {
    lines: Packed<Line>,
    /// The lines that have live blocks.
    live: Places,
}

/// Where an address stands in its span.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Number of its line.
    line: u32,
    /// Its place in the line.
    pub in_line: u32,
}

impl Place {
    /// The last one of a span.
    pub(super) const LAST: Place = Place { line: 63, in_line: 63 };

    #[inline]
    pub(super) fn of(address: u64) -> Place {
        Place { line: (address / 512 % 64) as u32, in_line: (address / 8 % 64) as u32 }
    }

    /// The address, in the span that has this key.
    #[inline]
    pub(super) fn address(self, key: u64) -> u64 {
        let (span, remainder) = (key / 8, key % 8);
        span * SPAN_BYTES + u64::from(self.line) * 512 + u64::from(self.in_line) * 8 + remainder
    }
}

impl Span {
    pub(super) fn has_live(&self) -> bool {
        !self.live.is_empty()
    }

    pub(super) fn is_unused(&self) -> bool {
        self.lines.is_empty()
    }

    #[inline]
    pub(super) fn line(&self, place: Place) -> Option<&Line> {
        self.lines.get(place.line)
    }

    #[inline]
    pub(super) fn line_mut(&mut self, place: Place) -> Option<&mut Line> {
        self.lines.get_mut(place.line)
    }

    /// The live blocks up to a place, the last one first.
    pub(super) fn until(&self, place: Place) -> impl Iterator<Item = (Place, &Block)> {
        self.lines.until(place.line).flat_map(move |(number, line)| {
            let until = if number == place.line { place.in_line } else { Place::LAST.in_line };
            line.until(until).map(move |(in_line, block)| (Place { line: number, in_line }, block))
        })
    }

    /// The last live block at a place or before.
    #[inline]
    pub(super) fn last(&self, place: Place) -> Option<(Place, &Block)> {
        let (line, until) = match self.line(place) {
            Some(line) if line.last(place.in_line).is_some() => (place.line, place.in_line),
            _ => (self.live.before(place.line).last()?, Place::LAST.in_line),
        };
        let (in_line, block) = self.lines.get(line)?.last(until)?;
        Some((Place { line, in_line }, block))
    }

    #[inline]
    pub(super) fn insert(&mut self, place: Place, block: Block) -> Before {
        self.live.add(place.line);
        self.lines.get_or_insert(place.line, Line::default).insert(place, block)
    }

    /// Sets the entry of a place where no block lives; whether that is so.
    pub(super) fn set_ended(&mut self, place: Place, entry: Entry) -> bool {
        self.lines.get_or_insert(place.line, Line::default).set_ended(place, entry)
    }

    /// Ends a live block. Its entry stays.
    #[inline]
    pub(super) fn end(&mut self, place: Place, freed: Option<ContextId>) -> Option<Block> {
        let line = self.lines.get_mut(place.line)?;
        let block = line.end(place, freed)?;
        if !line.has_live() {
            self.live.remove(place.line);
        }
        Some(block)
    }

    /// Forgets the freed block that has this serial.
    pub(super) fn forget(&mut self, place: Place, serial: u64) {
        let Some(line) = self.lines.get_mut(place.line) else { return };
        line.forget(place, serial);
        if line.is_unused() {
            self.lines.remove(place.line);
        }
    }
}
