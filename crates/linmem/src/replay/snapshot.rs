//! A memory at one instant.

use super::damaged;
use crate::error::Result;

/// No processor addresses more.
const LARGEST_MEMORY_BYTES: u64 = 1 << 57;

/// A memory at one instant.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Its size in bytes.
    pub size: u64,
    /// What is not all zero: `(address, bytes)`, in the order of addresses.
    pub memory: Vec<(u64, Vec<u8>)>,
}

impl Snapshot {
    pub(super) fn new(pages: u64, page_bytes: u64) -> Snapshot {
        let size = pages.saturating_mul(page_bytes).min(LARGEST_MEMORY_BYTES);
        Snapshot { size, memory: Vec::new() }
    }

    pub(super) fn add(&mut self, address: u64, bytes: Vec<u8>) -> Result<()> {
        let end = address.checked_add(bytes.len() as u64);
        let after_last = self.memory.last().map_or(0, |(last, bytes)| last + bytes.len() as u64);
        let fits = end.is_some_and(|end| end <= self.size);
        if !fits || address < after_last {
            return Err(damaged("a snapshot's parts overlap or lie outside of the memory"));
        }
        self.memory.push((address, bytes));
        Ok(())
    }

    /// The words in a range of addresses, `word_bytes` (4 or 8) each: `(address, value)`. Memory
    /// that is all zero is passed over.
    pub fn words(
        &self,
        start: u64,
        end: u64,
        word_bytes: u64,
    ) -> impl Iterator<Item = (u64, u64)> + '_ {
        let first = start.min(LARGEST_MEMORY_BYTES).next_multiple_of(word_bytes);
        let from = self.memory.partition_point(|(a, bytes)| a + (bytes.len() as u64) <= first);
        let parts = self.memory[from..].iter().take_while(move |(address, _)| *address < end);
        parts.flat_map(move |(address, bytes)| {
            let begin = first.max(*address).next_multiple_of(word_bytes);
            let stop = end.min(address + bytes.len() as u64);
            let within =
                bytes.get((begin - address) as usize..stop.saturating_sub(*address) as usize);
            let words = within.unwrap_or_default().chunks_exact(word_bytes as usize);
            (begin..).step_by(word_bytes as usize).zip(words.map(word))
        })
    }

    /// The word of `word_bytes` (4 or 8) at an address; 0 where memory is all zero, and at an address that is not a
    /// multiple of them.
    pub fn word_at(&self, address: u64, word_bytes: u64) -> u64 {
        if !address.is_multiple_of(word_bytes) {
            return 0;
        }
        let after = self.memory.partition_point(|(start, _)| *start <= address);
        let Some((start, bytes)) = after.checked_sub(1).map(|index| &self.memory[index]) else {
            return 0;
        };
        let offset = (address - start) as usize;
        bytes.get(offset..offset.saturating_add(word_bytes as usize)).map_or(0, word)
    }
}

/// 4 or 8 bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    match *bytes {
        [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two parts, of which one begins at an odd address.
    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot::new(1, 65_536);
        snapshot.add(16, (1..=12).collect()).unwrap();
        snapshot.add(61, vec![9; 7]).unwrap();
        snapshot
    }

    #[test]
    fn words_are_those_that_lie_in_a_part_as_a_whole() {
        let words = |start, end, bytes| snapshot().words(start, end, bytes).collect::<Vec<_>>();
        let first = [(16, 0x0403_0201), (20, 0x0807_0605), (24, 0x0c0b_0a09)];
        assert_eq!(words(0, 60, 4), first);
        assert_eq!(words(17, 27, 4), first[1..2]);
        assert_eq!(words(0, 28, 8), [(16, 0x0807_0605_0403_0201)]);
        assert_eq!(words(28, 100, 4), [(64, 0x0909_0909)]);
        assert_eq!(words(68, 100, 4), []);
    }

    #[test]
    fn a_word_is_the_same_alone() {
        for bytes in [4, 8] {
            for address in (0..80).filter(|address| address % bytes == 0) {
                let snapshot = snapshot();
                let word = snapshot.words(address, address + bytes, bytes).next();
                assert_eq!(snapshot.word_at(address, bytes), word.map_or(0, |(_, word)| word));
            }
        }
        assert_eq!(snapshot().word_at(18, 4), 0, "not a multiple");
        assert_eq!(snapshot().word_at(u64::MAX - 3, 4), 0);
    }
}
