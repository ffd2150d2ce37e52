//! Calls of functions by the host, in which a memory grew.

use std::collections::BTreeMap;

use crate::trace::ContextId;

/// Calls that are kept one by one, for each function.
const MAX_CALLS: usize = 1 << 16;

/// Places that are told apart, for each function.
const MAX_PLACES: usize = 1 << 10;

/// The calls in which a memory grew, by instance and function, and whether it grew for an allocation.
#[derive(Debug, Default)]
pub struct GrowingCalls(BTreeMap<CalledFunction, OfFunction>);

/// What the host called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CalledFunction {
    /// The instance.
    pub instance: usize,
    /// The function.
    pub function: u32,
    /// Whether the allocator asked for the growths.
    pub in_allocator: bool,
}

/// The calls of one function in which a memory grew.
#[derive(Debug, Default)]
pub struct OfFunction {
    /// Each such call: which one it was, from 1, and the pages that it added. Those at the beginning, if there are
    /// very many.
    pub calls: Vec<(u64, u64)>,
    /// How many growths there were in each place, in the order of the first ones.
    pub places: Vec<(ContextId, u64)>,
}

impl OfFunction {
    /// The pages that these calls added.
    pub fn pages(&self) -> u64 {
        self.calls.iter().fold(0, |sum: u64, (_, pages)| sum.saturating_add(*pages))
    }
}

impl GrowingCalls {
    /// Takes in a growth by so many pages in the `nth` call of a function.
    pub(super) fn grown(
        &mut self,
        called: CalledFunction,
        nth: u64,
        pages: u64,
        context: ContextId,
    ) {
        let OfFunction { calls, places } = self.0.entry(called).or_default();
        let last = calls.last_mut().filter(|(last, _)| *last == nth);
        if let Some((_, so_far)) = last {
            *so_far = so_far.saturating_add(pages);
        } else if calls.len() < MAX_CALLS {
            calls.push((nth, pages));
        }
        let place = places.iter_mut().find(|(place, _)| *place == context);
        if let Some((_, growths)) = place {
            *growths += 1;
        } else if places.len() < MAX_PLACES {
            places.push((context, 1));
        }
    }

    /// Each function with its calls.
    pub fn iter(&self) -> impl Iterator<Item = (CalledFunction, &OfFunction)> {
        self.0.iter().map(|(&called, calls)| (called, calls))
    }
}
