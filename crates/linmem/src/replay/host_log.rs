//! What the host did with instances and memories.

use std::cmp;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::trace::{Alive, ContextId, Refused, SizeReadBy};

/// What the host did with instances and memories.
#[derive(Debug, Default)]
pub struct HostLog {
    /// When the program asked for the size of each memory, and where; the first ones of very many memories and places.
    pub size_reads: BTreeMap<(usize, ContextId), SizeReads>,
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

/// All that a program asked for the size of one memory, at one place or at several.
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

impl SizeReads {
    fn new(by: SizeReadBy, read: SizeRead) -> SizeReads {
        SizeReads { count: 1, first: read, last: read, wrong: read.if_wrong(), ways: vec![by] }
    }

    /// Takes in what was asked at another place.
    pub fn add(&mut self, other: &SizeReads) {
        let when = |read: &SizeRead| read.events_before;
        self.count += other.count;
        self.first = cmp::min_by_key(self.first, other.first, when);
        self.last = cmp::max_by_key(self.last, other.last, when);
        self.wrong = self.wrong.into_iter().chain(other.wrong).min_by_key(when);
        for by in &other.ways {
            if !self.ways.contains(by) {
                self.ways.push(*by);
            }
        }
    }
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

impl SizeRead {
    /// Itself, if the growths recorded make another size.
    fn if_wrong(self) -> Option<SizeRead> {
        self.pages_recorded.is_some_and(|pages| pages != self.pages).then_some(self)
    }
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
        let here = SizeReads::new(by, read);
        match self.size_reads.entry((memory, read.context)) {
            Entry::Occupied(mut known) => known.get_mut().add(&here),
            Entry::Vacant(place) if has_room => drop(place.insert(here)),
            Entry::Vacant(_) => {}
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
