//! From the 64-bit number that instrumented code has for a call stack to its number in the trace.

use rustc_hash::FxHashMap;

use crate::trace::ContextId;

/// Contexts that are told apart; those after them share one, without a stack.
pub(crate) const MAX_CONTEXTS: usize = 1 << 20;

/// Stacks taken in one recording; contexts after them have none. One costs some 30 µs.
pub(crate) const MAX_STACKS: usize = 1 << 14;

/// Number of entries in [`Contexts::recent`], a power of two.
const RECENT: usize = 1 << 12;

const UNSEEN: ContextId = ContextId(u32::MAX);

/// The contexts of a recording.
pub(super) struct Contexts {
    numbers: FxHashMap<u64, ContextId>,
    /// The context of the last lookups, by the low bits of its value: most events come from few
    /// places.
    recent: Vec<(u64, ContextId)>,
}

impl Default for Contexts {
    fn default() -> Contexts {
        Contexts { numbers: FxHashMap::default(), recent: vec![(0, UNSEEN); RECENT] }
    }
}

impl Contexts {
    /// The context of a value, if it has been seen before.
    #[inline]
    pub(super) fn known(&mut self, raw: u64) -> Option<ContextId> {
        let slot = (raw ^ (raw >> 32)) as usize % RECENT;
        let (value, id) = self.recent[slot];
        if value == raw && id != UNSEEN {
            return Some(id);
        }
        let id = *self.numbers.get(&raw)?;
        self.recent[slot] = (raw, id);
        Some(id)
    }

    /// Whether a new context's stack is still within the budget.
    pub(super) fn wants_stack(&self) -> bool {
        self.numbers.len() < MAX_STACKS
    }

    /// The number of a value that has not been seen before, and whether the number is new.
    pub(super) fn define(&mut self, raw: u64) -> (ContextId, bool) {
        let count = self.numbers.len();
        if count >= MAX_CONTEXTS {
            return (ContextId(count as u32 - 1), false);
        }
        let id = ContextId(count as u32);
        self.numbers.insert(raw, id);
        (id, true)
    }
}
