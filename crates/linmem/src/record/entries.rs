//! Entries: the host calls a function of an instance. Its callers are told at the first event of an entry, if
//! there is one.
//!
//! An entry that comes while the instance waits for the host belongs to the entry that waits. Whether one
//! waits is known from the instance's own count, which an exception that leaves the module makes wrong: so
//! it is compared with the stack now and then.

use rustc_hash::FxHashMap;

use super::{Guest, Recorder};
use crate::trace::{ContextId, Crossing, Entry, Frame, HostStackId, Record};

/// Callers that are taken for entries with the same first context; then those of every 2^k-th.
pub(crate) const CALLERS_OF_CONTEXT: u32 = 1 << 12;

/// How often the stack is looked at when an import enters for the first time since it was called.
const LOOKS: u32 = 1 << 7;

/// Levels that are told apart.
const MAX_LEVELS: usize = 1 << 12;

/// The entries of an instance that are under way.
#[derive(Default)]
pub(super) struct Entries {
    /// The outermost first. There may be none in a start function.
    open: Vec<Open>,
    /// What the trace says of the entry at each level.
    told: Vec<Option<Entry>>,
    /// The level of the last entry that was told, until an outer one goes on.
    told_level: usize,
    /// Entries inside others since an outer one went on, or began.
    inside: u32,
    /// How many of them came first there, ever.
    first: u32,
    /// How many entries there were with each first context.
    of_context: FxHashMap<ContextId, u32>,
}

#[derive(Clone, Copy, Default)]
struct Open {
    function: Option<u32>,
    stack_pointer: Option<u64>,
    is_told: bool,
}

impl Entries {
    /// Whether the trace has its callers.
    #[inline]
    pub(super) fn is_told(&self) -> bool {
        self.open.last().is_none_or(|entry| entry.is_told)
    }

    /// Whether the entry under way belongs to another one.
    pub(super) fn is_inside(&self) -> bool {
        self.open.len() > 1
    }

    /// The function that the host called, if it called one.
    pub(super) fn function(&self) -> Option<u32> {
        self.open.last().and_then(|entry| entry.function)
    }

    fn open(&mut self, level: usize, function: u32, stack_pointer: Option<u64>) {
        let level = level.min(MAX_LEVELS);
        self.open.resize(level, Open { is_told: true, ..Open::default() });
        self.open.push(Open { function: Some(function), stack_pointer, is_told: false });
    }

    /// Whether an entry that is about to begin inside another one may be an outermost one. An import mostly
    /// enters once, and then the entry that waits goes on. Where it does not, it may be over.
    fn is_doubtful(&mut self) -> bool {
        if self.inside > 0 {
            return self.inside.wrapping_add(1).is_power_of_two();
        }
        self.first = self.first.saturating_add(1);
        self.first <= LOOKS || self.first.is_power_of_two()
    }

    /// The entry of this level goes on, or the one below it that there is: an exception that the module
    /// caught leaves levels behind which have no entry. Returns its level.
    fn resume(&mut self, level: usize) -> usize {
        self.inside = 0;
        self.open.truncate(level.saturating_add(1));
        while self.open.len() > 1 && self.function().is_none() {
            self.open.pop();
        }
        self.open.len().saturating_sub(1)
    }

    /// Takes in that an entry is to be told; whether the trace does not say so anyway.
    fn tell(&mut self, level: usize, entry: Entry) -> bool {
        if self.told.len() <= level {
            self.told.resize(level + 1, None);
        }
        let is_known = self.told_level == level && self.told[level] == Some(entry);
        self.told[level] = Some(entry);
        self.told_level = level;
        !is_known
    }

    /// Whether to take the callers of an entry whose first event has this context.
    fn wants_caller(&mut self, context: ContextId) -> bool {
        let entries = self.of_context.entry(context).or_default();
        *entries = entries.saturating_add(1);
        *entries <= CALLERS_OF_CONTEXT || entries.is_power_of_two()
    }
}

impl Recorder {
    /// The host enters, given how many entries seem to wait for the host and how many have not returned;
    /// returns the level of the entry.
    pub(super) fn entered(
        &mut self,
        instance: usize,
        function: u32,
        (level, running): (u64, u64),
        stack_pointer: u64,
        passed: &[u64],
        guest: &mut dyn Guest,
    ) -> u32 {
        let memory = self.instances[instance].memory;
        if self.memories[memory].low_memory.looks_again() {
            self.look(instance, guest);
        }
        let level = match (level, running) {
            (0, 0) => 0,
            _ => self.level(instance, level, running, guest),
        };
        self.instances[instance].calls.add(function);
        let entries = &mut self.instances[instance].entries;
        entries.inside = if level == 0 { 0 } else { entries.inside.wrapping_add(1) };
        let stack_pointer = Some(stack_pointer).filter(|pointer| *pointer != 0);
        entries.open(level as usize, function, stack_pointer);
        self.crossed(instance, passed, Crossing::Passed, guest);
        level as u32
    }

    /// The level of an entry, when not all entries before it have returned as it seems: either they go on
    /// outside, or they never returned.
    fn level(&mut self, instance: usize, level: u64, running: u64, guest: &mut dyn Guest) -> u64 {
        let is_plain = level > 0 && running == level;
        if is_plain && !self.instances[instance].entries.is_doubtful() {
            return level;
        }
        let entries = &self.instances[instance].entries;
        let caller = guest.backtrace().caller.unwrap_or_default();
        if caller.iter().any(|frame| matches!(frame, Frame::Wasm { .. })) {
            return level;
        }
        let outermost = entries.open.first().and_then(|entry| entry.function);
        // None is running if the module caught the exception.
        if let Some(function) = outermost.filter(|_| running > 0) {
            self.select(instance);
            self.writer.record(&Record::NotReturned { function });
        }
        0
    }

    /// The host is back from what it did on behalf of the entry of this level.
    pub(super) fn resumed(&mut self, instance: usize, level: u64) {
        let level = usize::try_from(level).unwrap_or(MAX_LEVELS).min(MAX_LEVELS);
        let entries = &mut self.instances[instance].entries;
        let level = entries.resume(level);
        if entries.told_level > level {
            self.tell_resumed(instance, level);
        }
    }

    fn tell_resumed(&mut self, instance: usize, level: usize) {
        self.select(instance);
        self.writer.record(&Record::Resumed { level: level as u64 });
        self.instances[instance].entries.told_level = level;
    }

    /// Tells the callers of an instance in which an event with this context happens now; `caller` is what
    /// called the host, if the stack was taken already.
    #[cold]
    pub(super) fn tell_entry(
        &mut self,
        instance: usize,
        context: ContextId,
        caller: Option<Vec<Frame>>,
        guest: &mut dyn Guest,
    ) {
        let entries = &mut self.instances[instance].entries;
        let level = entries.open.len().saturating_sub(1);
        let Some(entry) = entries.open.last_mut() else { return };
        entry.is_told = true;
        let Open { function: Some(function), stack_pointer, .. } = *entry else { return };
        if level == 0 && !guest.has_host_stack() {
            if entries.told_level > 0 {
                self.tell_resumed(instance, 0);
            }
            return;
        }
        let wants_caller = entries.wants_caller(context);
        let take = || guest.backtrace().into_caller();
        let caller = caller.or_else(|| wants_caller.then(take).flatten());
        let caller = caller.map(|frames| self.host_stack(instance, frames));
        let entry = Entry { function, level: level as u64, caller, stack_pointer };
        if self.instances[instance].entries.tell(level, entry) {
            self.writer.record(&Record::Entered(entry));
        }
    }

    /// The number of a stack of the host, which runs on behalf of an instance.
    pub(super) fn host_stack(&mut self, instance: usize, frames: Vec<Frame>) -> HostStackId {
        let module = self.instances[instance].module;
        let next = HostStackId(self.host_stacks.len() as u32);
        let Recorder { host_stacks, writer, .. } = self;
        *host_stacks.entry((module, frames)).or_insert_with_key(|(module, frames)| {
            let module = Some(*module as u64);
            writer.record(&Record::HostStack { module, frames: frames.clone() });
            next
        })
    }
}
