//! Entries: the host calls a function of an instance. Its callers are told at the first event of an entry, if
//! there is one.
//!
//! An entry that comes while the instance waits for the host belongs to the entry that waits. Whether one
//! waits is known from the instance's own count, which an exception that leaves the module makes wrong: so
//! it is compared with the stack now and then.

use rustc_hash::FxHashMap;

use super::{Guest, Hook, Instance, Recorder};
use crate::trace::{ContextId, Entry, Frame, HostStackId, NotReturned, Record};

/// How often the stack is looked at for the same doubt, before that is done less and less often.
const LOOKS: u32 = 16;

/// Doubts that are told apart: each is about twice as many entries as the one before.
const DOUBTS: usize = 32;

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
    /// By level, the entries since the level below began or went on.
    since: Vec<u32>,
    /// The deepest level that the stack has confirmed.
    confirmed: usize,
    /// How often each doubt came up since it was found to be right.
    doubts: [u32; DOUBTS],
    /// How many entries there were with each first context.
    of_context: FxHashMap<ContextId, u32>,
}

#[derive(Clone, Copy, Default)]
struct Open {
    function: Option<u32>,
    stack_pointer: Option<u64>,
    is_told: bool,
    /// What called, if that was looked at.
    caller: Option<HostStackId>,
    /// The first arguments that can be addresses.
    passed: [u64; Hook::VALUES],
    /// How many such arguments were passed on so far.
    parameters: u32,
}

impl Entries {
    /// Whether the trace has its callers.
    #[inline]
    pub(super) fn is_told(&self) -> bool {
        self.open.last().is_none_or(|entry| entry.is_told)
    }

    /// The first arguments of the entry under way that can be addresses.
    pub(super) fn passed(&self) -> [u64; Hook::VALUES] {
        self.open.last().map_or([0; Hook::VALUES], |entry| entry.passed)
    }

    /// Whether the entry under way belongs to another one.
    pub(super) fn is_inside(&self) -> bool {
        self.open.len() > 1
    }

    /// The function that the host called, if it called one.
    pub(super) fn function(&self) -> Option<u32> {
        self.open.last().and_then(|entry| entry.function)
    }

    fn open(&mut self, level: usize, function: u32, stack_pointer: Option<u64>, passed: &[u64]) {
        self.since.resize(self.since.len().max(level + 2), 0);
        self.since[level] = self.since[level].saturating_add(1);
        self.since[level + 1] = 0;
        self.open.resize(level, Open { is_told: true, ..Open::default() });
        let passed = std::array::from_fn(|index| passed.get(index).copied().unwrap_or_default());
        let function = Some(function);
        self.open.push(Open { function, stack_pointer, passed, ..Open::default() });
    }

    /// So many arguments are about to be passed on: which of the parameters that can be addresses the first of them
    /// is, of what function, and what called it.
    pub(super) fn pass(&mut self, count: usize) -> Option<(u32, u32, Option<HostStackId>)> {
        let open = self.open.last_mut()?;
        let first = open.parameters;
        open.parameters = first.saturating_add(count as u32);
        Some((open.function?, first, open.caller))
    }

    /// The outermost entry is over, and did not return.
    fn take_outermost(&mut self) -> Option<Open> {
        let outermost = self.open.first().copied();
        self.open.clear();
        outermost
    }

    /// Whether an entry of this level that is about to begin may be an outermost one. An import that enters may
    /// do so at this level, and this often, each time. Whatever is more than that may be what an exception
    /// has left behind.
    fn is_doubtful(&mut self, level: usize) -> bool {
        if level > self.confirmed {
            return true;
        }
        let entries = self.since.get(level).map_or(1, |since| since.saturating_add(1));
        if !entries.is_power_of_two() {
            return false;
        }
        let times = &mut self.doubts[entries.trailing_zeros() as usize];
        *times = times.saturating_add(1);
        *times <= LOOKS || times.is_power_of_two()
    }

    /// The entry of this level goes on, or the one below it that there is: an exception that the module
    /// caught leaves levels behind which have no entry. Returns its level.
    fn resume(&mut self, level: usize) -> usize {
        self.open.truncate(level.saturating_add(1));
        while self.open.len() > 1 && self.function().is_none() {
            self.open.pop();
        }
        let level = self.open.len().saturating_sub(1);
        if let Some(since) = self.since.get_mut(level + 1) {
            *since = 0;
        }
        level
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

    /// One more entry whose first event has this context; returns how many there were.
    fn count(&mut self, context: ContextId) -> u32 {
        let entries = self.of_context.entry(context).or_default();
        *entries = entries.saturating_add(1);
        *entries
    }
}

impl Recorder {
    /// The host enters, given how many entries seem to wait for the host and how many have not returned;
    /// returns the level of the entry, or its complement where nothing of it crosses.
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
        let stack_pointer = Some(stack_pointer).filter(|pointer| *pointer != 0);
        let level = match (level, running) {
            (0, 0) => 0,
            levels => self.level(instance, levels, stack_pointer, guest),
        };
        let Instance { module, calls, entries, .. } = &mut self.instances[instance];
        calls.add(function);
        entries.open(level, function, stack_pointer, passed);
        if level == 0
            && guest.has_host_stack()
            && self.modules[*module].wants_look(function)
            && self.contexts.may_look()
        {
            self.look_at_caller(instance, guest);
        }
        self.passed(instance, passed, guest);
        let level = level as u32;
        if self.is_crossed(instance, guest) { level } else { !level }
    }

    /// Looks at what calls where an outermost entry begins.
    #[cold]
    fn look_at_caller(&mut self, instance: usize, guest: &mut dyn Guest) {
        let frames = guest.backtrace().into_caller();
        let stack = frames.map(|frames| {
            self.contexts.looked_at(frames.len());
            self.host_stack(instance, frames)
        });
        let Instance { calls, entries, .. } = &mut self.instances[instance];
        let Some(open) = entries.open.last_mut() else { return };
        open.caller = stack;
        if let (Some(function), Some(caller)) = (open.function, stack) {
            calls.add_from(function, caller);
        }
    }

    /// The level of an entry, when not all entries before it have returned as it seems: either they go on
    /// outside, or they never returned.
    fn level(
        &mut self,
        instance: usize,
        (level, running): (u64, u64),
        stack_pointer: Option<u64>,
        guest: &mut dyn Guest,
    ) -> usize {
        let is_plain = level > 0 && running == level;
        let level = usize::try_from(level).unwrap_or(MAX_LEVELS).min(MAX_LEVELS);
        if is_plain && !self.instances[instance].entries.is_doubtful(level) {
            return level;
        }
        let caller = guest.backtrace().caller.unwrap_or_default();
        let entries = &mut self.instances[instance].entries;
        if caller.iter().any(|frame| matches!(frame, Frame::Wasm { .. })) {
            entries.confirmed = entries.confirmed.max(level);
            return level;
        }
        entries.doubts.fill(0);
        // None is running if the module caught the exception.
        if running > 0 {
            self.did_not_return(instance, stack_pointer);
        }
        0
    }

    /// The outermost entry is over without having returned; the stack pointer is this now.
    pub(super) fn did_not_return(&mut self, instance: usize, stack_pointer: Option<u64>) {
        let Instance { module, entries, .. } = &mut self.instances[instance];
        let Some(open) = entries.take_outermost() else { return };
        let Open { function: Some(function), caller, passed, .. } = open else { return };
        self.modules[*module].look_again(function);
        let left = open.stack_pointer.zip(stack_pointer).map(|(at, now)| at.saturating_sub(now));
        let stack_bytes = left.unwrap_or_default();
        self.select(instance);
        let call = NotReturned { function, caller, stack_bytes, passed };
        self.writer.record(&Record::NotReturned(call));
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
        let known = entry.caller;
        let nth = entries.count(context);
        let caller = known.or_else(|| self.caller(instance, (function, level), nth, caller, guest));
        if let Some(open) = self.instances[instance].entries.open.last_mut() {
            open.caller = caller;
        }
        let entry = Entry { function, level: level as u64, caller, stack_pointer };
        if self.instances[instance].entries.tell(level, entry) {
            self.writer.record(&Record::Entered(entry));
        }
    }

    /// Tells the callers of a function that was entered unseen, inside the entry under way, at an event with this
    /// context.
    pub(super) fn tell_unseen(
        &mut self,
        instance: usize,
        function: u32,
        context: ContextId,
        caller: Option<Vec<Frame>>,
        guest: &mut dyn Guest,
    ) {
        let entries = &mut self.instances[instance].entries;
        let level = entries.open.len().max(1);
        let nth = entries.count(context);
        let caller = self.caller(instance, (function, level), nth, caller, guest);
        let entry = Entry { function, level: level as u64, caller, stack_pointer: None };
        self.writer.record(&Record::Entered(entry));
        let entries = &mut self.instances[instance].entries;
        entries.told_level = level;
        if let Some(told) = entries.told.get_mut(level) {
            *told = None;
        }
        // The next event may be one of the entry itself.
        if let Some(open) = entries.open.last_mut().filter(|open| open.function.is_some()) {
            open.is_told = false;
        }
    }

    /// The callers of an entry that is the `nth` with the same first context; `known` if the stack was taken
    /// already.
    fn caller(
        &mut self,
        instance: usize,
        entry: (u32, usize),
        nth: u32,
        known: Option<Vec<Frame>>,
        guest: &mut dyn Guest,
    ) -> Option<HostStackId> {
        let is_wanted = self.contexts.wants_caller(self.instances[instance].module, entry, nth);
        let take = || guest.backtrace().into_caller();
        let frames = known.or_else(|| is_wanted.then(take).flatten())?;
        self.contexts.took_caller(entry.1, frames.len());
        Some(self.host_stack(instance, frames))
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
