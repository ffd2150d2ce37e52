//! The sites: for every call stack that allocates, all its weights.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::replay::heap::{Held, SiteTotals};
use crate::report::{Profile, ProfiledMemory, Site, StackFrame};
use crate::trace::ContextId;

use super::subject::{Memory, Subject};

/// The profile of a recording.
pub(crate) fn table(subject: &Subject<'_, '_>) -> Profile {
    let mut interner = Interner::default();
    for (number, memory) in subject.memories().enumerate() {
        for (context, weights) in weights(memory) {
            let stack = interner.stack(memory, context);
            interner.profile.sites.push(weights.site(number, stack));
        }
        let modules = memory.modules().iter().map(|facts| facts.recorded.name.clone()).collect();
        let totals = memory.heap().totals();
        interner.profile.memories.push(ProfiledMemory { modules, totals });
    }
    interner.profile
}

/// The weights of each place of a memory, in the order of their contexts.
fn weights(memory: Memory<'_, '_>) -> BTreeMap<ContextId, Weights> {
    let heap = memory.heap();
    let now = heap.totals().allocations + heap.totals().reallocations;
    let mut weights: BTreeMap<ContextId, Weights> = BTreeMap::new();
    for (context, totals) in heap.sites() {
        let place = memory.place(context);
        weights.entry(place).or_default().add(&totals, heap.at_peak(&totals));
    }
    for (_, block) in heap.live() {
        let place = memory.place(block.context);
        weights.entry(place).or_default().lifetimes += now - block.serial;
    }
    weights
}

/// The contexts that look the same to people, taken together.
#[derive(Default)]
struct Weights {
    total: Held,
    at_peak: Held,
    at_end: Held,
    temporary: u64,
    lifetimes: u64,
}

impl Weights {
    fn add(&mut self, totals: &SiteTotals, at_peak: Held) {
        self.total += Held { blocks: totals.allocations, bytes: totals.bytes };
        self.at_peak += at_peak;
        self.at_end += totals.live;
        self.temporary += totals.temporary;
        self.lifetimes += totals.lifetime;
    }

    fn site(self, memory: usize, stack: usize) -> Site {
        let Weights { total, at_peak, at_end, temporary, lifetimes } = self;
        Site { memory, stack, total, at_peak, at_end, temporary, lifetimes }
    }
}

/// A profile in the making, which has each frame and each stack once.
#[derive(Default)]
struct Interner {
    profile: Profile,
    frames: FxHashMap<StackFrame, usize>,
    stacks: FxHashMap<Vec<usize>, usize>,
}

impl Interner {
    /// The index of a stack.
    fn stack(&mut self, memory: Memory<'_, '_>, context: ContextId) -> usize {
        let stack: Vec<usize> =
            memory.stack(context).into_iter().map(|frame| self.frame(frame)).collect();
        let stacks = &mut self.profile.stacks;
        *self.stacks.entry(stack).or_insert_with_key(|stack| {
            stacks.push(stack.clone());
            stacks.len() - 1
        })
    }

    fn frame(&mut self, frame: StackFrame) -> usize {
        let frames = &mut self.profile.frames;
        *self.frames.entry(frame).or_insert_with_key(|frame| {
            frames.push(frame.clone());
            frames.len() - 1
        })
    }
}
