//! An instance, as a recording tells of it.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::contexts::CallerId;
use super::unreturned_calls::NotReturnedCalls;
use crate::trace::{ContextId, LiveFrames};

/// An instance of the trace.
#[derive(Debug)]
pub struct RecordedInstance {
    /// Number of its module.
    pub module: usize,
    /// Number of its memory 0.
    pub memory: usize,
    /// Its globals, when they were last looked at.
    pub globals: Option<Globals>,
    /// Where it was created, if the host said.
    pub created: Option<ContextId>,
    /// Whether it was garbage-collected.
    pub collected: bool,
    /// Where its accesses are checked, whether all blocks of the heap are known.
    pub checked: Option<bool>,
    /// Functions whose accesses are not checked all the same.
    pub unchecked: Vec<u32>,
    /// Events of all instances before its first and up to its last.
    pub active: Option<(u64, u64)>,
    /// The block that the allocator gave in its last event, if it gave one.
    pub last_given: Option<u64>,
    /// How often exported functions were called, by their indices, in the order of the first calls.
    pub calls: Vec<(u32, u64)>,
    /// Of the calls that were looked at when they began: how many came from where, by function.
    pub called_from: BTreeMap<(u32, ContextId), u64>,
    /// Where a function stands in `calls`.
    place_in_calls: FxHashMap<u32, usize>,
    /// The sum of `calls`.
    pub(super) calls_in_all: u64,
    /// Calls that did not return.
    pub not_returned: NotReturnedCalls,
    /// Whether functions were taken out of tables or put in, whose calls are not seen.
    pub functions_taken: bool,
    /// By function that was entered: the allocations before its second entry, once there was one.
    entered_again: FxHashMap<u32, Option<u64>>,
    /// The entries that are under way, with their levels and callers, the outermost first. Nothing
    /// happened so far in those between, so nobody told of them.
    entries: Vec<(u64, CallerId)>,
}

/// The integer globals of an instance that can change.
#[derive(Debug, Default)]
pub struct Globals {
    /// Whose frames were live.
    pub live_frames: LiveFrames,
    /// `(index, value)`
    pub values: Vec<(u64, u64)>,
}

impl RecordedInstance {
    pub(super) fn new(module: usize, memory: usize) -> RecordedInstance {
        RecordedInstance {
            module,
            memory,
            globals: None,
            created: None,
            collected: false,
            checked: None,
            unchecked: Vec::new(),
            active: None,
            last_given: None,
            calls: Vec::new(),
            called_from: BTreeMap::new(),
            place_in_calls: FxHashMap::default(),
            calls_in_all: 0,
            not_returned: NotReturnedCalls::default(),
            functions_taken: false,
            entered_again: FxHashMap::default(),
            entries: Vec::new(),
        }
    }

    pub(super) fn called(&mut self, function: u32, times: u64) {
        self.calls_in_all = self.calls_in_all.saturating_add(times);
        match self.place_in_calls.get(&function) {
            Some(&place) => self.calls[place].1 = self.calls[place].1.saturating_add(times),
            None => {
                self.place_in_calls.insert(function, self.calls.len());
                self.calls.push((function, times));
            }
        }
    }

    pub(super) fn called_from(&mut self, function: u32, context: ContextId, times: u64) {
        let sum = self.called_from.entry((function, context)).or_default();
        *sum = sum.saturating_add(times);
    }

    /// How often a function was called so far; `None` if it was not, as far as the recording says.
    pub fn times(&self, function: u32) -> Option<u64> {
        self.place_in_calls.get(&function).map(|&place| self.calls[place].1)
    }

    /// An entry at this level begins; those of this level and above are over.
    pub(super) fn entered(&mut self, level: u64, caller: CallerId) {
        self.entries.truncate(self.outside_of(level));
        self.entries.push((level, caller));
    }

    /// A function is entered, after so many allocations.
    pub(super) fn entered_after(&mut self, function: u32, allocations: u64) {
        let again = self.entered_again.entry(function);
        again.and_modify(|again| *again = again.or(Some(allocations))).or_insert(None);
    }

    /// Whether the allocation with this number belongs to the first entry of a function, or comes before it.
    pub fn is_of_first_entry(&self, function: u32, serial: u64) -> bool {
        self.entered_again
            .get(&function)
            .is_none_or(|again| again.is_none_or(|again| serial <= again))
    }

    /// The entry of this level goes on.
    pub(super) fn resumed(&mut self, level: u64) {
        let outside = self.outside_of(level);
        match self.entries.get(outside) {
            Some((told, _)) if *told == level => self.entries.truncate(outside + 1),
            _ => self.entered(level, CallerId::default()),
        }
    }

    /// How many entries were told that are outside this level.
    fn outside_of(&self, level: u64) -> usize {
        self.entries.partition_point(|(outer, _)| *outer < level)
    }

    /// The callers of the entry under way.
    #[inline]
    pub(super) fn caller(&self) -> CallerId {
        self.entries.last().map_or(CallerId::default(), |(_, caller)| *caller)
    }
}
