//! What the host did with instances and memories.

use std::collections::BTreeMap;

use crate::trace::{Alive, ContextId, Refused, SizeReadBy};

/// What the host did with instances and memories.
#[derive(Debug, Default)]
pub struct HostLog {
    /// When the program asked for the size of each memory; the first ones of very many memories.
    pub size_reads: BTreeMap<usize, SizeReads>,
    /// How often it did in all.
    pub size_reads_in_all: u64,
    /// Uses of detached views, by memory and context, with how often.
    pub stale_views: Vec<(StaleView, u64)>,
    /// The recorder's words.
    pub notes: Vec<String>,
    /// What the engine said of the last exception of a module that nobody caught.
    pub uncaught: Option<String>,
    /// What the engine refused the program, by what, module, words and context.
    pub refusals: Vec<Refusal>,
}

/// What the engine refused the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What.
    pub what: Refused,
    /// Number of the module that was to be instantiated.
    pub module: Option<usize>,
    /// What the engine said.
    pub text: String,
    /// Where the program asked for it.
    pub context: ContextId,
    /// How often.
    pub times: u64,
    /// What was alive the first time.
    pub alive: Alive,
}

/// All that a program asked for the size of one memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeReads {
    /// How often.
    pub count: u64,
    /// The first time.
    pub first: SizeRead,
    /// The last time.
    pub last: SizeRead,
    /// The first time that it was told another size than the growths recorded make.
    pub wrong: Option<SizeRead>,
    /// In which ways.
    pub ways: Vec<SizeReadBy>,
}

/// The program asked how large a memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeRead {
    /// What it was told.
    pub pages: u64,
    /// Where it asked.
    pub context: ContextId,
    /// Events of all instances before.
    pub events_before: u64,
    /// Allocations before, in the instances that use the memory.
    pub allocations_before: u64,
    /// Calls of these instances' exports before, except those that only read the size.
    pub calls_before: u64,
    /// The size that these instances' events and the growths from outside give; `None` if no
    /// instance uses the memory.
    pub pages_recorded: Option<u64>,
}

/// The program used a view that an earlier growth had detached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleView {
    /// Number of the memory.
    pub memory: usize,
    /// The memory's size when the view was made.
    pub pages: u64,
    /// Where it was used.
    pub context: ContextId,
}

/// Entries of each list of a [`HostLog`] that are kept.
const MAX_HOST_ENTRIES: usize = 10_000;

impl HostLog {
    pub(super) fn add_size_read(&mut self, memory: usize, by: SizeReadBy, read: SizeRead) {
        let has_room = self.size_reads.len() < MAX_HOST_ENTRIES;
        if !has_room && !self.size_reads.contains_key(&memory) {
            return;
        }
        let reads = self.size_reads.entry(memory).or_insert(SizeReads {
            count: 0,
            first: read,
            last: read,
            wrong: None,
            ways: Vec::new(),
        });
        reads.count += 1;
        reads.last = read;
        let is_wrong = read.pages_recorded.is_some_and(|pages| pages != read.pages);
        reads.wrong = reads.wrong.or(is_wrong.then_some(read));
        if !reads.ways.contains(&by) {
            reads.ways.push(by);
        }
    }

    pub(super) fn add_refusal(&mut self, refusal: Refusal) {
        let is_alike = |known: &&mut Refusal| {
            (known.what, known.module, known.context)
                == (refusal.what, refusal.module, refusal.context)
                && known.text == refusal.text
        };
        match self.refusals.iter_mut().find(is_alike) {
            Some(known) => known.times += 1,
            None => push_bounded(&mut self.refusals, refusal),
        }
    }

    pub(super) fn add_stale_view(&mut self, view: StaleView) {
        match self.stale_views.iter().position(|(known, _)| *known == view) {
            Some(known) => self.stale_views[known].1 += 1,
            None => push_bounded(&mut self.stale_views, (view, 1)),
        }
    }
}

pub(super) fn push_bounded<T>(list: &mut Vec<T>, entry: T) {
    if list.len() < MAX_HOST_ENTRIES {
        list.push(entry);
    }
}
