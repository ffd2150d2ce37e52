//! Memory near address 0, where writes through NULL go.

use crate::trace::Record;

/// The memory below the first data segment as it was at the last look.
#[derive(Default)]
pub(super) struct LowMemory {
    watched_bytes: Option<u64>,
    /// Empty until the instance is complete.
    before: Vec<u8>,
    /// Whether an allocation has failed since the last look: the host may write where NULL points.
    looks_again: bool,
}

impl LowMemory {
    /// Watches so many bytes at most: an instance has something of its own from there on.
    pub(super) fn watch(&mut self, bytes: u64) {
        self.watched_bytes = self.watched_bytes.map_or(bytes, |watched| watched.min(bytes)).into();
    }

    /// Remembers what is there now.
    pub(super) fn remember(&mut self, memory: &[u8]) {
        let end = memory.len().min(self.watched_bytes.unwrap_or(0) as usize);
        self.before = memory[..end].to_vec();
    }

    /// When the host enters the module again, somebody should look.
    pub(super) fn look_again(&mut self) {
        self.looks_again = true;
    }

    /// Whether to look now; once for each time that [`look_again`](LowMemory::look_again) asked.
    #[inline]
    pub(super) fn looks_again(&mut self) -> bool {
        std::mem::take(&mut self.looks_again)
    }

    /// What has changed since the last look, if anything has.
    pub(super) fn look(&mut self, memory: &[u8]) -> Option<Record> {
        let now = &memory[..self.before.len().min(memory.len())];
        let pairs = now.iter().zip(&self.before).zip(0..);
        let mut changed = pairs.filter(|((now, before), _)| now != before).map(|(_, at)| at);
        let first: u64 = changed.next()?;
        let (changed, last) = changed.fold((1, first), |(count, _), at| (count + 1, at));
        self.before = now.to_vec();
        Some(Record::LowMemory { first, last, changed })
    }
}
