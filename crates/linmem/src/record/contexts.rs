//! From the 64-bit number that instrumented code has for a call stack to its number in the trace.

use rustc_hash::FxHashMap;

use crate::trace::ContextId;

/// Contexts that are told apart; those after them share one, without a stack.
pub(crate) const MAX_CONTEXTS: usize = 1 << 20;

/// Stacks taken in one recording; contexts after them have none. One costs some 30 µs.
pub(crate) const MAX_STACKS: usize = 1 << 14;

/// Stacks that each function which the host calls has for itself, when those are used up.
pub(crate) const STACKS_OF_ENTRY: u32 = 1 << 6;

/// Callers that are taken for entries with the same first context; then those of every 2^k-th.
pub(crate) const CALLERS_OF_CONTEXT: u32 = 1 << 12;

/// Frames of callers in a recording, since deep stacks cost much: for all entries, and then for every
/// 2^k-th only.
pub(crate) const MAX_CALLER_FRAMES: usize = 65_536;
pub(crate) const MAX_RARE_CALLER_FRAMES: usize = 98_304;

/// Functions that have stacks for themselves.
const MAX_ENTRIES: usize = 1 << 12;

/// Number of entries in [`KnownContexts::recent`], a power of two.
const RECENT: usize = 1 << 12;

const UNSEEN: ContextId = ContextId(u32::MAX);

/// The contexts of one module, whose numbers for them no other module shares.
pub(super) struct KnownContexts {
    numbers: FxHashMap<u64, ContextId>,
    /// The context of the last lookups, by the low bits of its value: most events come from few
    /// places.
    recent: Vec<(u64, ContextId)>,
}

impl Default for KnownContexts {
    fn default() -> KnownContexts {
        KnownContexts { numbers: FxHashMap::default(), recent: vec![(0, UNSEEN); RECENT] }
    }
}

impl KnownContexts {
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
}

/// The contexts of a recording.
#[derive(Default)]
pub(super) struct Contexts {
    count: usize,
    stacks: usize,
    /// By module and function that the host called: the stacks taken below it.
    of_entry: FxHashMap<(usize, Option<u32>), u32>,
    /// Frames of callers so far.
    callers: usize,
}

impl Contexts {
    /// Whether a new context's stack is still within the budget. Whoever comes first cannot use up all of
    /// it: each function that the host calls has a part of its own.
    pub(super) fn wants_stack(&mut self, module: usize, entry: Option<u32>) -> bool {
        if self.stacks < MAX_STACKS {
            self.stacks += 1;
            return true;
        }
        if self.of_entry.len() >= MAX_ENTRIES && !self.of_entry.contains_key(&(module, entry)) {
            return false;
        }
        let of_entry = self.of_entry.entry((module, entry)).or_default();
        *of_entry += 1;
        *of_entry <= STACKS_OF_ENTRY
    }

    /// Whether to take the callers of an entry, the first, second and so on of those with the same first
    /// context. A program with very many contexts cannot have all of them looked at.
    pub(super) fn wants_caller(&self, nth: u32) -> bool {
        let is_rare = nth.is_power_of_two();
        match self.callers {
            0..MAX_CALLER_FRAMES => is_rare || nth <= CALLERS_OF_CONTEXT,
            MAX_CALLER_FRAMES..MAX_RARE_CALLER_FRAMES => is_rare,
            _ => false,
        }
    }

    /// So many frames of callers were taken.
    pub(super) fn took_caller(&mut self, frames: usize) {
        self.callers += frames;
    }

    /// The number of a value that has not been seen before in its module, and whether the number is new.
    pub(super) fn define(&mut self, raw: u64, known: &mut KnownContexts) -> (ContextId, bool) {
        if self.count >= MAX_CONTEXTS {
            return (ContextId(self.count as u32 - 1), false);
        }
        let id = ContextId(self.count as u32);
        self.count += 1;
        known.numbers.insert(raw, id);
        (id, true)
    }
}
