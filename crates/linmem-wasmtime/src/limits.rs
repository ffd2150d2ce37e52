//! How much memory a module gets.

use wasmtime::ResourceLimiter;

/// Bytes in a page of linear memory.
pub(crate) const PAGE_BYTES: u64 = 65_536;

/// Caps the memory.
pub(crate) struct Limits {
    /// Every growth past this many pages fails.
    pub(crate) max_pages: Option<u64>,
    /// Pages that a shadow may have more: it grows before the memory does, which is refused when the shadow is.
    pub(crate) excess_pages: u64,
    /// Pages of a memory that instrumentation adds, and that is made once, whatever the cap is.
    pub(crate) added_pages: Option<u64>,
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let pages = desired as u64 / PAGE_BYTES;
        if current == 0 && self.added_pages == Some(pages) {
            self.added_pages = None;
            return Ok(true);
        }
        let cap = self.max_pages.map(|cap| cap.saturating_add(self.excess_pages));
        Ok(cap.is_none_or(|cap| pages <= cap))
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(true)
    }
}
