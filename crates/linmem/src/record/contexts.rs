//! From the 64-bit number that instrumented code has for a call stack to its number in the trace.

use rustc_hash::FxHashMap;

use crate::trace::ContextId;

/// Contexts that are told apart; those after them share one, without a stack.
pub(crate) const MAX_CONTEXTS: usize = 1 << 20;

/// Stacks taken in one recording; contexts after them have none. One costs some 30 µs.
pub(crate) const MAX_STACKS: usize = 1 << 14;

/// Stacks that each function which the host calls has for itself, when those are used up.
pub(crate) const STACKS_OF_ENTRY: u32 = 1 << 6;

/// The same for the callers of entries, outermost ones and those inside others, whose callers are deeper.
pub(crate) const CALLERS_OF_ENTRY: [u32; 2] = [1 << 6, 1 << 4];

/// Callers that are taken for entries with the same first context; then those of every 2^k-th.
pub(crate) const CALLERS_OF_CONTEXT: u32 = 1 << 12;

/// Frames of callers in a recording, since deep stacks cost much: for all entries, and then for every
/// 2^k-th only; of outermost entries, and of entries inside others, which come more often and deeper.
pub(crate) const MAX_CALLER_FRAMES: [usize; 2] = [65_536, 16_384];
pub(crate) const MAX_RARE_CALLER_FRAMES: [usize; 2] = [98_304, 24_576];

/// What a stack costs besides its frames, in frames: those of the recorder and of the engine's own code.
pub(crate) const FRAMES_OF_A_STACK: usize = 4;

/// Calls of each function by the host whose callers are looked at when they begin, so that they are known if the
/// call does not return; and as many again after one that did not.
pub(crate) const CALLS_LOOKED_AT: u16 = 16;

/// The same for functions that make objects.
pub(crate) const OBJECTS_LOOKED_AT: u16 = 1 << 12;

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
    of_entry: Parts,
    /// The same for callers.
    callers_of_entry: Parts,
    /// Frames of callers so far: of outermost entries, and of entries inside others, which come more often
    /// and deeper.
    callers: [usize; 2],
    /// Frames of callers that were looked at when calls began.
    looked_at: usize,
}

/// How many stacks there were for each module and function that the host called.
type Parts = FxHashMap<(usize, Option<u32>), u32>;

/// Whether one more stack of an entry is within its own part.
fn is_within_part(parts: &mut Parts, entry: (usize, Option<u32>), most: u32) -> bool {
    if parts.len() >= MAX_ENTRIES && !parts.contains_key(&entry) {
        return false;
    }
    let taken = parts.entry(entry).or_default();
    *taken = taken.saturating_add(1);
    *taken <= most
}

impl Contexts {
    /// Whether a new context's stack is still within the budget. Whoever comes first cannot use up all of
    /// it: each function that the host calls has a part of its own.
    pub(super) fn wants_stack(&mut self, module: usize, entry: Option<u32>) -> bool {
        if self.stacks < MAX_STACKS {
            self.stacks += 1;
            return true;
        }
        is_within_part(&mut self.of_entry, (module, entry), STACKS_OF_ENTRY)
    }

    /// Whether to take the callers of an entry, a call of this function of a module, which is the `nth` with
    /// the same first context. A program with very many contexts cannot have all of them looked at, but
    /// each function has a part.
    pub(super) fn wants_caller(
        &mut self,
        module: usize,
        (function, level): (u32, usize),
        nth: u32,
    ) -> bool {
        let is_rare = nth.is_power_of_two();
        let kind = level.min(1);
        let taken = self.callers[kind];
        if taken < MAX_CALLER_FRAMES[kind] {
            return is_rare || nth <= CALLERS_OF_CONTEXT;
        }
        is_rare && taken < MAX_RARE_CALLER_FRAMES[kind]
            || is_within_part(
                &mut self.callers_of_entry,
                (module, Some(function)),
                CALLERS_OF_ENTRY[kind],
            )
    }

    /// Whether callers may still be looked at when calls begin: a function may fail for ever.
    pub(super) fn may_look(&self) -> bool {
        self.looked_at < MAX_CALLER_FRAMES[0]
    }

    /// So many frames of callers were looked at when a call began.
    pub(super) fn looked_at(&mut self, frames: usize) {
        self.looked_at += frames + FRAMES_OF_A_STACK;
    }

    /// So many frames of callers were taken, of an entry at this level.
    pub(super) fn took_caller(&mut self, level: usize, frames: usize) {
        self.callers[level.min(1)] += frames + FRAMES_OF_A_STACK;
    }

    /// A number for a stack that no value stands for, and whether the number is new.
    pub(super) fn define_alone(&mut self) -> (ContextId, bool) {
        if self.count >= MAX_CONTEXTS {
            return (ContextId(self.count as u32 - 1), false);
        }
        self.count += 1;
        (ContextId(self.count as u32 - 1), true)
    }

    /// The number of a value that has not been seen before in its module, and whether the number is new.
    pub(super) fn define(&mut self, raw: u64, known: &mut KnownContexts) -> (ContextId, bool) {
        let (id, is_new) = self.define_alone();
        if is_new {
            known.numbers.insert(raw, id);
        }
        (id, is_new)
    }
}
