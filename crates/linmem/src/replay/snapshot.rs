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
            let words = stop.saturating_sub(begin) / word_bytes;
            (0..words).map(move |index| {
                let at = begin + index * word_bytes;
                let offset = (at - address) as usize;
                let word = &bytes[offset..offset + word_bytes as usize];
                (at, word.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
            })
        })
    }
}
