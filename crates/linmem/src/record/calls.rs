//! How often the host called each exported function. Calls are far too many to record each: they are
//! counted, and the counts are written now and then.

/// Calls that are not in the trace yet.
#[derive(Default)]
pub(super) struct Calls {
    /// By function index.
    counts: Vec<u64>,
    /// Functions whose count is not 0, in the order of their first calls.
    called: Vec<u32>,
}

impl Calls {
    /// One more call.
    pub(super) fn add(&mut self, function: u32) {
        let index = function as usize;
        if self.counts.len() <= index {
            self.counts.resize(index + 1, 0);
        }
        if self.counts[index] == 0 {
            self.called.push(function);
        }
        self.counts[index] += 1;
    }

    /// The counts since the last time, in the order of the first calls.
    pub(super) fn take(&mut self) -> Vec<(u32, u64)> {
        let called = std::mem::take(&mut self.called);
        let mut take = |function: u32| std::mem::take(&mut self.counts[function as usize]);
        called.into_iter().map(|function| (function, take(function))).collect()
    }
}
