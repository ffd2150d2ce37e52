//! Calls by the host that did not return.

use std::collections::BTreeMap;

use super::heap::Concerned;
use crate::trace::ContextId;

/// Places that are told apart.
const MAX_PLACES: usize = 1_000;

/// The calls of an instance's functions that did not return, by function and place.
#[derive(Debug, Default)]
pub struct NotReturnedCalls(BTreeMap<(u32, ContextId), Unreturned>);

/// Calls of one function, from one place, that did not return.
#[derive(Debug, Clone, Copy)]
pub struct Unreturned {
    /// How many.
    pub times: u64,
    /// Bytes of the shadow stack that they left behind.
    pub stack_bytes: u64,
    /// The first arguments of the first one that can be addresses.
    pub passed: [Argument; 4],
}

/// An argument, and what was at that address.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Its value.
    pub value: u64,
    /// The block that used to be there.
    pub freed: Option<Concerned>,
    /// Whether it is past the end of the memory.
    pub is_outside: bool,
}

impl NotReturnedCalls {
    /// Takes in one more.
    pub(super) fn add(
        &mut self,
        function: u32,
        context: ContextId,
        stack_bytes: u64,
        passed: [Argument; 4],
    ) {
        let key = (function, context);
        if self.0.len() < MAX_PLACES || self.0.contains_key(&key) {
            let first = Unreturned { times: 0, stack_bytes: 0, passed };
            let calls = self.0.entry(key).or_insert(first);
            calls.times += 1;
            calls.stack_bytes = calls.stack_bytes.saturating_add(stack_bytes);
        }
    }

    /// Each function and place, with the calls.
    pub fn iter(&self) -> impl Iterator<Item = (u32, ContextId, Unreturned)> {
        self.0.iter().map(|(&(function, context), &calls)| (function, context, calls))
    }
}
