//! How often the host called each exported function. Calls are far too many to record each: they are
//! counted, and the counts are written now and then.

use rustc_hash::FxHashMap;

use crate::trace::HostStackId;

/// Calls that are not in the trace yet.
#[derive(Default)]
pub(super) struct Calls {
    /// By function index.
    counts: Vec<u64>,
    /// Functions whose count is not 0, in the order of their first calls.
    called: Vec<u32>,
    /// Of those that were looked at: how many came from where.
    from: FxHashMap<u32, Vec<(HostStackId, u64)>>,
}

/// Calls of one function.
pub(super) struct Called {
    pub(super) function: u32,
    pub(super) times: u64,
    /// Of those that were looked at: how many came from where.
    pub(super) from: Vec<(HostStackId, u64)>,
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

    /// One of the calls of this function, which was looked at, came from here.
    pub(super) fn add_from(&mut self, function: u32, caller: HostStackId) {
        let callers = self.from.entry(function).or_default();
        match callers.iter_mut().find(|(known, _)| *known == caller) {
            Some((_, times)) => *times += 1,
            None => callers.push((caller, 1)),
        }
    }

    /// The counts since the last time, in the order of the first calls, and of each function the callers.
    pub(super) fn take(&mut self) -> Vec<Called> {
        let called = std::mem::take(&mut self.called).into_iter();
        let counts = called.map(|function| Called {
            function,
            times: std::mem::take(&mut self.counts[function as usize]),
            from: self.from.remove(&function).unwrap_or_default(),
        });
        counts.collect()
    }
}
