//! A memory, as a recording tells of it.

use super::Snapshot;
use super::calls_that_grew::GrowingCalls;
use super::freed_addresses::StalePointers;
use super::heap::{AccessKind, Accessed, Heap};
use crate::trace::Sharing;

/// A memory of the trace. Whoever uses it shares its heap.
#[derive(Debug)]
pub struct RecordedMemory {
    /// Pages at the start.
    pub initial_pages: u64,
    /// Pages it may grow to at most, if that is limited.
    pub max_pages: Option<u64>,
    /// Bytes in a page.
    pub page_bytes: u64,
    /// Whether threads share it.
    pub sharing: Sharing,
    /// Its heap.
    pub heap: Heap,
    /// Its contents, when they were last looked at.
    pub snapshot: Option<Snapshot>,
    /// Numbers of the instances that use it as their memory 0.
    pub users: Vec<usize>,
    /// The calls in which it grew.
    pub growing_calls: GrowingCalls,
    /// Addresses of freed blocks that the host passed.
    pub stale_pointers: StalePointers,
    /// How often its size was read by calling an export.
    pub(super) size_calls: u64,
}

impl RecordedMemory {
    pub(super) fn new(
        initial_pages: u64,
        max_pages: Option<u64>,
        page_bytes: u64,
        sharing: Sharing,
    ) -> RecordedMemory {
        RecordedMemory {
            initial_pages,
            max_pages,
            page_bytes,
            sharing,
            heap: Heap::new(initial_pages),
            snapshot: None,
            users: Vec::new(),
            growing_calls: GrowingCalls::default(),
            stale_pointers: StalePointers::default(),
            size_calls: 0,
        }
    }

    /// Takes in an access that is not right, which something other than an instruction made: that does not trap past
    /// the end.
    pub(super) fn accessed_by_host(&mut self, instance: usize, access: Accessed) {
        let pages = self.heap.totals().at_end.pages;
        let end = access.address.checked_add(access.bytes);
        if end.is_some_and(|end| end <= pages.saturating_mul(self.page_bytes)) {
            self.heap.accessed(instance, access);
        } else {
            self.heap.add_access_error(AccessKind::Outside, instance, access, None);
        }
    }
}
