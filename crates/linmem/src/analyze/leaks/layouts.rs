//! Blocks whose owners do not point to their start: what is known of such layouts.
//!
//! Valgrind accepts some of them too (`--leak-check-heuristics`). The start of the block shows in each case that it is
//! laid out that way; [`recurring`] goes by how often it is.

use std::collections::{BTreeMap, BTreeSet};

use super::mark::Live;
use crate::allocator::Header;
use crate::replay::Snapshot;

/// Whether the owner of a block points to this offset in it. `lowest` is the address of the lowest of all blocks.
pub fn is_owned_at(
    snapshot: Option<&Snapshot>,
    live: &Live,
    offset: u64,
    word_bytes: u64,
    lowest: u64,
) -> bool {
    let Some(snapshot) = snapshot else { return false };
    let contents = Contents { snapshot, live, word_bytes, lowest };
    contents.has_length(offset)
        || contents.has_counts(offset)
        || contents.is_shared(offset)
        || contents.is_hash_table(offset)
}

/// Blocks that have to be pointed to at one offset before it counts as a layout.
pub const FEWEST_OF_LAYOUT: usize = 8;

/// The offsets at which many blocks are pointed to: the size of a header that the program, or an interpreter in it, puts
/// before each of its objects. Each block comes with the offsets of the pointers into it.
pub fn recurring(pointers: impl Iterator<Item = (usize, u64)>) -> BTreeSet<u64> {
    let mut blocks: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    for (block, offset) in pointers {
        blocks.entry(offset).or_default().insert(block);
    }
    blocks.retain(|_, blocks| blocks.len() >= FEWEST_OF_LAYOUT);
    blocks.into_keys().collect()
}

/// The contents of a block.
struct Contents<'a> {
    snapshot: &'a Snapshot,
    live: &'a Live,
    word_bytes: u64,
    /// The address of the lowest block.
    lowest: u64,
}

impl Contents<'_> {
    /// Some programs keep a block's length in its first eight bytes, and point behind it: SQLite does.
    /// Valgrind calls this the `length64` heuristic.
    fn has_length(&self, offset: u64) -> bool {
        const LENGTH_BYTES: u64 = 8;
        if offset != LENGTH_BYTES {
            return false;
        }
        let Live { extent, block, .. } = *self.live;
        let size = (self.word(0, 4) | self.word(4, 4) << 32).saturating_add(LENGTH_BYTES);
        // A chunk is rounded up.
        let fits_chunk =
            extent != block.size && size <= extent && extent - size < Header::ROUNDED_BY;
        size > LENGTH_BYTES && (size == block.size || fits_chunk)
    }

    /// Rust's `Rc` and `Arc` keep two counts in front of the value, and hand out raw pointers to that.
    fn has_counts(&self, offset: u64) -> bool {
        let is_count = |at| (1..self.most()).contains(&self.word(at, self.word_bytes));
        offset == 2 * self.word_bytes && is_count(0) && is_count(self.word_bytes)
    }

    /// `std::make_shared` of libc++ and libstdc++ puts the object behind its control block: the table of its virtual
    /// functions, which lies before all blocks, and two counts of owners besides one.
    fn is_shared(&self, offset: u64) -> bool {
        // Linkers leave this much free below all data.
        const LOWEST_DATA: u64 = 1024;
        let header = 3 * self.word_bytes;
        let is_behind = offset == header || offset == header.next_multiple_of(16);
        let table = self.word(0, self.word_bytes);
        let count = |nth| self.word(nth * self.word_bytes, self.word_bytes);
        is_behind
            && (LOWEST_DATA..self.lowest).contains(&table)
            && table.is_multiple_of(4)
            && count(1) < self.most()
            && count(2) < self.most()
    }

    /// Rust's hash tables (hashbrown's) have a byte for each entry behind the entries, and point to the first of these
    /// bytes; after the last of them, as many as are looked at together stand there once more.
    fn is_hash_table(&self, offset: u64) -> bool {
        const GROUPS: [u64; 3] = [4, 8, 16];
        const MOST_LOOKED_AT: u64 = 1 << 12;
        let Some(bytes) = self.live.block.size.checked_sub(offset) else { return false };
        let entries = |group: &u64| bytes.checked_sub(*group).filter(|n| n.is_power_of_two());
        let Some((group, entries)) =
            GROUPS.iter().find_map(|group| Some((*group, entries(group)?))).filter(|_| offset > 0)
        else {
            return false;
        };
        let byte = |at: u64| self.word(at & !3, 4) >> (8 * (at % 4)) & 0xff;
        let control = |at: u64| byte(offset + at);
        let is_control = |at| control(at) <= 0x80 || control(at) == 0xff;
        let repeats = |at: u64| control(entries.max(group) + at) == control(at);
        entries <= MOST_LOOKED_AT
            && (0..entries).all(is_control)
            // A table is never full.
            && (0..entries).any(|at| control(at) == 0xff)
            && (0..group.min(entries)).all(repeats)
    }

    /// What a count is less than: there are not so many owners, and an address does not count.
    fn most(&self) -> u64 {
        self.lowest.min(1 << 16)
    }

    /// The word of so many bytes at an offset; 0 also where a snapshot has nothing.
    fn word(&self, offset: u64, bytes: u64) -> u64 {
        self.snapshot.word_at(self.live.address.saturating_add(offset), bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::heap::Block;
    use crate::trace::ContextId;

    const START: u64 = 4096;

    /// Whether a block with these contents is owned by a pointer to this offset.
    fn is_owned(contents: &[u8], offset: u64) -> bool {
        let snapshot = Snapshot { size: 1 << 16, memory: vec![(START, contents.to_vec())] };
        let size = contents.len() as u64;
        let block = Block { size, align: 0, context: ContextId(0), serial: 1, crossed: None };
        is_owned_at(
            Some(&snapshot),
            &Live { address: START, extent: size, asked_for: size, block },
            offset,
            4,
            START,
        )
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn a_length_in_front_is_a_header() {
        assert!(is_owned(&words(&[12, 0, 7, 7, 7]), 8));
        assert!(!is_owned(&words(&[12, 0, 7, 7, 7]), 12));
        assert!(!is_owned(&words(&[20, 0, 7, 7, 7]), 8));
    }

    #[test]
    fn counts_of_references_are_a_header() {
        assert!(is_owned(&words(&[1, 1, 99, 99]), 8));
        assert!(is_owned(&words(&[3, 2, 99, 99]), 8));
        assert!(!is_owned(&words(&[1, 1, 99, 99]), 12), "another offset");
        assert!(!is_owned(&words(&[0, 1, 99, 99]), 8), "nobody refers to it");
        assert!(!is_owned(&words(&[1, 0x0010_4e20, 99, 99]), 8), "a pointer is no count");
    }

    #[test]
    fn an_object_lies_behind_the_counts_of_its_owners() {
        assert!(is_owned(&words(&[2048, 0, 0, 0, 7, 7]), 12));
        assert!(is_owned(&words(&[2048, 2, 1, 0, 7, 7]), 16), "aligned to 16");
        assert!(!is_owned(&words(&[2048, 2, 1, 0, 7, 7]), 20), "another offset");
        assert!(!is_owned(&words(&[4104, 0, 0, 0, 7, 7]), 12), "no static data");
        assert!(!is_owned(&words(&[0, 0, 0, 0, 7, 7]), 12), "no table");
        assert!(!is_owned(&words(&[2048, 0x0010_4e20, 0, 0, 7]), 12), "a pointer is no count");
    }

    #[test]
    fn a_hash_table_has_a_byte_for_each_entry() {
        let (full, empty) = (0x35, 0xff);
        let entries = [7u8; 64];
        let control = [full, empty, empty, full, empty, empty, empty, empty];
        let table = |control: &[u8], again: &[u8]| [&entries[..], control, again].concat();
        assert!(is_owned(&table(&control, &control), 64));
        assert!(is_owned(&table(&control, &control[..4]), 64), "groups of four");
        assert!(!is_owned(&table(&control, &[0; 8]), 64), "no repetition");
        assert!(!is_owned(&table(&[0x99; 8], &[0x99; 8]), 64), "no such control byte");
        assert!(!is_owned(&table(&control, &control), 32), "another offset");
        // Fewer entries than a group has.
        let few = [full, empty, full, empty];
        assert!(is_owned(&table(&few, &[[empty; 4], few].concat()), 64));
    }

    #[test]
    fn an_offset_recurs_with_enough_blocks() {
        let at = |blocks: std::ops::Range<usize>, offset| blocks.map(move |block| (block, offset));
        assert_eq!(recurring(at(0..8, 16).chain(at(0..7, 24))), BTreeSet::from([16]));
        let same = std::iter::repeat_n((3, 16), 100);
        assert_eq!(recurring(same), BTreeSet::new(), "one block, pointed to often");
    }
}
