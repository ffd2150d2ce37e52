//! Growths of the allocator, until the allocation is over that they are done for.

use rustc_hash::FxHashMap;

/// The allocator's growths in each instance since its last allocation.
#[derive(Debug, Default)]
pub(super) struct Growing(FxHashMap<usize, UnderWay>);

/// What an instance's allocator asked for within one allocation.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// Which of the heap's growths.
    pub kept: Vec<usize>,
    /// Whether one was refused.
    pub refused: bool,
}

impl Growing {
    /// Takes in one of the growths that the heap keeps.
    pub(super) fn grown(&mut self, instance: usize, growth: usize) {
        self.0.entry(instance).or_default().kept.push(growth);
    }

    /// Takes in that a growth was refused.
    pub(super) fn refused(&mut self, instance: usize) {
        self.0.entry(instance).or_default().refused = true;
    }

    /// The allocation is over.
    #[inline]
    pub(super) fn take(&mut self, instance: usize) -> Option<UnderWay> {
        if self.0.is_empty() { None } else { self.0.remove(&instance) }
    }
}
