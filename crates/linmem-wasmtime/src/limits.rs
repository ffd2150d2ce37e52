//! How much memory and time a module gets.

use std::sync::mpsc;
use std::time::Duration;

use wasmtime::{Engine, ResourceLimiter};

/// Bytes in a page of linear memory.
pub(crate) const PAGE_BYTES: u64 = 65_536;

/// Caps the memory.
pub(crate) struct Limits {
    /// Every growth past this many pages fails.
    pub(crate) max_pages: Option<u64>,
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let pages = desired as u64 / PAGE_BYTES;
        Ok(self.max_pages.is_none_or(|cap| pages <= cap))
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

/// Ends a program that runs for too long.
pub(crate) struct Watchdog {
    /// Dropping it tells the thread that the program has ended.
    _running: mpsc::Sender<()>,
}

impl Watchdog {
    /// From now on the program has so much time.
    pub(crate) fn start(engine: Engine, limit: Duration) -> Watchdog {
        let (running, ended) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if ended.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        });
        Watchdog { _running: running }
    }
}
