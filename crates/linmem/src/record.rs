//! What each hook means: calls of hooks in, the records of a trace out. No engine is named here: a
//! host passes on what instrumented code calls, and shows the [`Guest`] where the recorder asks.
//!
//! The recorder for JavaScript hosts (`packages/linmem/src/record`) is the same machine under the same
//! names, and both pass the cases in `testdata/hooks.json`.
//!
//! While the guest waits, a hook only appends to a log; everything else is worked out behind it.

mod accesses;
mod calls;
mod contexts;
mod entries;
mod instance;
mod low_memory;
mod module;

use std::io::Write;

use rustc_hash::FxHashMap;

use crate::error::Result;
use crate::prepared::Prepared;
use crate::trace::{
    ContextId, Crossing, Event, Frame, HostRecord, HostStackId, LiveFrames, Record, Sharing, Writer,
};

pub use crate::instrument::hooks::Hook;
pub use module::ModuleFacts;

use accesses::Accesses;
use calls::Called;
use contexts::Contexts;
#[cfg(test)]
pub(crate) use contexts::{
    CALLERS_OF_CONTEXT, CALLERS_OF_ENTRY, CALLS_LOOKED_AT, FRAMES_OF_A_STACK, MAX_CALLER_FRAMES,
    MAX_CONTEXTS, MAX_RARE_CALLER_FRAMES, MAX_STACKS, OBJECTS_LOOKED_AT, STACKS_OF_ENTRY,
};
use instance::Instance;
use low_memory::LowMemory;
use module::Module;

/// What the recording tells as the cause of a growth that no instance asked for.
const FROM_OUTSIDE: &str = "(the host, or a module that is not watched)";

/// Where a recording goes.
type Sink = Box<dyn Write + Send>;

/// What a recorder asks of the instance that runs. Most hooks' calls ask nothing.
pub trait Guest {
    /// The call stack.
    fn backtrace(&mut self) -> Backtrace;

    /// Whether call stacks have frames of the host's own. Then the callers of an outermost entry are known.
    fn has_host_stack(&self) -> bool {
        false
    }

    /// The bytes of memory 0.
    fn memory(&mut self) -> &[u8];

    /// Whether entries have not returned, as [`RUNNING_EXPORT`](crate::instrument::RUNNING_EXPORT) says: while no
    /// code of the module runs, a trap or an exception has ended them.
    fn is_running(&mut self) -> bool {
        false
    }

    /// The value of a global, given its index in the original module; `None` if it cannot be read.
    fn global(&mut self, index: u32) -> Option<u64>;
}

/// A call stack, innermost frame first, in terms of the original module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backtrace {
    /// Up to where the host entered the instance last.
    pub inner: Vec<Frame>,
    /// What called there, if that is known: frames of the host, where it has a stack of its own, and of the
    /// module, where an import of it led to the host.
    pub caller: Option<Vec<Frame>>,
    /// Whether the engine left out the outermost frames.
    pub is_cut: bool,
    /// Whether the host entered where its call was seen: not so where another module called a function of
    /// this one through a table.
    pub is_seen: bool,
}

impl Backtrace {
    /// A whole stack of these two parts.
    pub fn new(inner: Vec<Frame>, caller: Option<Vec<Frame>>) -> Backtrace {
        Backtrace { inner, caller, is_cut: false, is_seen: true }
    }

    /// What called there: nothing, if no more than that is known of a whole stack.
    fn into_caller(self) -> Option<Vec<Frame>> {
        self.caller.or_else(|| (!self.is_cut).then(Vec::new))
    }

    /// All frames.
    pub fn frames(self) -> Vec<Frame> {
        let mut frames = self.inner;
        frames.extend(self.caller.unwrap_or_default());
        frames
    }
}

/// Records what instances do. The front page of this library shows one at work.
pub struct Recorder {
    writer: Writer<Sink>,
    contexts: Contexts,
    modules: Vec<Module>,
    memories: Vec<Memory>,
    instances: Vec<Instance>,
    /// The instance that the records which follow are about.
    selected: Option<usize>,
    host_stacks: FxHashMap<(usize, Vec<Frame>), HostStackId>,
    accesses: Accesses,
}

/// A memory of a recording.
struct Memory {
    /// Its size, as far as the recording tells of growths.
    pages: u64,
    /// From the lowest address at which there ever was a block to the end of the highest one.
    blocks: Option<(u64, u64)>,
    low_memory: LowMemory,
    /// The instance whose snapshot has it: the one that uses it first.
    first_user: Option<usize>,
    /// Whether an instance that uses it has an allocator of its own.
    has_allocator: bool,
}

impl Recorder {
    /// Starts a recording. The clock tells the microseconds since the recording began: not every target
    /// that this library is built for can tell the time.
    pub fn new(
        sink: impl Write + Send + 'static,
        clock: impl FnMut() -> u64 + Send + 'static,
    ) -> Recorder {
        Recorder {
            writer: Writer::new(Box::new(sink) as Sink).with_clock(clock),
            contexts: Contexts::default(),
            modules: Vec::new(),
            memories: Vec::new(),
            instances: Vec::new(),
            selected: None,
            host_stacks: FxHashMap::default(),
            accesses: Accesses::default(),
        }
    }

    /// Adds a module, which reports call `name`, and returns its number.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the allocator cannot be written down.
    pub fn module(&mut self, prepared: &Prepared<'_>, name: &str) -> Result<usize> {
        Ok(self.known_module(&ModuleFacts::new(prepared, name)?))
    }

    /// The same, where it is known already what is to be known of the module.
    pub fn known_module(&mut self, facts: &ModuleFacts) -> usize {
        self.writer.record(facts.record());
        self.modules.push(Module::new(facts.clone()));
        self.modules.len() - 1
    }

    /// Adds a memory of `initial_pages` pages of `page_bytes` bytes, which may grow to `max_pages` at
    /// most, and returns its number.
    pub fn memory(&mut self, initial_pages: u64, max_pages: Option<u64>, page_bytes: u64) -> usize {
        let sharing = Sharing::Private;
        self.writer.record(&Record::Memory { initial_pages, max_pages, page_bytes, sharing });
        let low_memory = LowMemory::default();
        let pages = initial_pages;
        let blocks = None;
        let (first_user, has_allocator) = (None, false);
        self.memories.push(Memory { pages, blocks, low_memory, first_user, has_allocator });
        self.memories.len() - 1
    }

    /// A memory has so many pages, or had them before the growth that an instance is about to report. What it
    /// grew by beyond the growths reported so far, the host did, or a module that is not watched.
    ///
    /// # Panics
    ///
    /// When there is no memory of this number, or no instance uses it.
    pub fn size(&mut self, memory: usize, pages: u64) {
        let Memory { pages: before, first_user, .. } = self.memories[memory];
        if let Some(delta_pages) = pages.checked_sub(before).filter(|delta| *delta > 0) {
            self.memories[memory].pages = pages;
            self.write_calls();
            let user = first_user.expect("an instance uses the memory");
            let stack = self.host_stack(user, vec![Frame::Host(FROM_OUTSIDE.to_owned())]);
            let (memory, previous_pages) = (memory as u64, Some(before));
            let grown = HostRecord::HostGrown { memory, delta_pages, previous_pages, stack };
            self.writer.record(&Record::Host(grown));
        }
    }

    /// Adds an instance of a module, which uses a memory as its memory 0, and returns its number.
    ///
    /// # Panics
    ///
    /// When there is no module or no memory of this number.
    pub fn instance(&mut self, module: usize, memory: usize) -> usize {
        let number = self.instances.len();
        let watched_bytes = self.modules[module].low_memory_bytes;
        let used = &mut self.memories[memory];
        used.first_user.get_or_insert(number);
        used.low_memory.watch(watched_bytes);
        used.has_allocator |= self.modules[module].has_allocator();
        self.writer.record(&Record::Instance { module: module as u64, memory: memory as u64 });
        if let Some(knows_heap) = self.modules[module].checked {
            self.writer.record(&Record::Checked { knows_heap });
        }
        for &function in &self.modules[module].unchecked {
            self.writer.record(&Record::Unchecked { function });
        }
        let imports_allocator = self.modules[module].imports_allocator;
        self.instances.push(Instance::new(module, memory, imports_allocator));
        self.selected = Some(number);
        number
    }

    /// An instance is complete. What its memory holds near address 0 is remembered, so that writes
    /// through NULL can be seen later.
    ///
    /// # Panics
    ///
    /// As all methods that are given an instance: when there is none of this number.
    pub fn completed(&mut self, instance: usize, guest: &mut dyn Guest) {
        let memory = self.instances[instance].memory;
        self.memories[memory].low_memory.remember(guest.memory());
    }

    /// Instrumented code called a hook with these arguments, as [`Hook`] lists them, without the
    /// instance; those of 32 bits are extended with zeros. Returns what the hook returns: the level of
    /// the entry for [`Hook::Entered`], or its complement, else 0.
    ///
    /// # Panics
    ///
    /// When there are fewer arguments than the hook has parameters.
    // A host knows which hook it passes on, so all but its own arm is gone there.
    #[inline(always)]
    pub fn hook(
        &mut self,
        instance: usize,
        hook: Hook,
        args: &[u64],
        guest: &mut dyn Guest,
    ) -> u32 {
        match (hook, args) {
            (Hook::Allocated | Hook::Freed | Hook::Reallocating | Hook::Reallocated, _)
                if self.is_told(instance) => {}
            (Hook::Allocated, &[pointer, size, align, low, high, ..]) => {
                let context = self.begin(instance, low, high, guest);
                self.settled(instance, pointer, size, guest);
                self.writer.event(&Event::Allocated { pointer, size, align, context });
            }
            (Hook::Freed, &[pointer, size, align, low, high, ..]) => {
                let context = self.begin(instance, low, high, guest);
                let size = self.module_of(instance).known_size(size);
                self.writer.event(&Event::Freed { pointer, size, align, context });
            }
            (Hook::Reallocating, &[pointer, old_size, align, new_size, low, high, ..]) => {
                let context = self.begin(instance, low, high, guest);
                let old_size = self.module_of(instance).known_size(old_size);
                self.instances[instance].new_size = new_size;
                let event = Event::Reallocating { pointer, old_size, align, new_size, context };
                self.writer.event(&event);
            }
            (Hook::Reallocated, &[pointer, ..]) => {
                let new_size = self.instances[instance].new_size;
                self.select(instance);
                self.settled(instance, pointer, new_size, guest);
                self.writer.event(&Event::Reallocated { pointer });
            }
            (Hook::Grown, &[delta_pages, previous, in_allocator, low, high, ..]) => {
                // Which call it is that grows the memory.
                self.write_calls();
                let previous_pages = self.module_of(instance).known_pages(previous);
                if let Some(previous) = previous_pages {
                    let memory = self.instances[instance].memory;
                    self.memories[memory].pages = previous.saturating_add(delta_pages);
                }
                let context = self.begin(instance, low, high, guest);
                let in_allocator = in_allocator != 0;
                let event = Event::Grown { delta_pages, previous_pages, in_allocator, context };
                self.writer.event(&event);
            }
            (Hook::Entered, &[function, level, running, pointer, ref passed @ ..]) => {
                let levels = (level, running);
                return self.entered(instance, function as u32, levels, pointer, passed, guest);
            }
            (Hook::Resumed, &[level, ..]) => self.resumed(instance, level),
            (Hook::Passed, passed) => self.passed(instance, passed, guest),
            (Hook::Returned, &[function, ref values @ ..]) => {
                let function = function as u32;
                self.crossed(instance, values, |_| Crossing::Returned(function), guest);
            }
            (Hook::HandedOut, values) => {
                self.crossed(instance, values, |_| Crossing::HandedOut, guest);
            }
            (Hook::BadAccess, &[instruction, address, bytes, by, ..]) => {
                self.bad_access(instance, instruction as u32, (address, bytes, by), guest);
            }
            (hook, args) => panic!("{} does not take {} arguments", hook.name(), args.len()),
        }
        0
    }

    /// Whether another instance, which uses the same memory, tells the events of the allocator that this one
    /// imports.
    #[inline(always)]
    fn is_told(&self, instance: usize) -> bool {
        let Instance { memory, imports_allocator, .. } = self.instances[instance];
        imports_allocator && self.memories[memory].has_allocator
    }

    fn module_of(&self, instance: usize) -> &Module {
        &self.modules[self.instances[instance].module]
    }

    /// The records that follow are about this instance.
    #[inline(always)]
    fn select(&mut self, instance: usize) {
        if self.selected != Some(instance) {
            self.tell_selected(instance);
        }
    }

    #[cold]
    fn tell_selected(&mut self, instance: usize) {
        self.writer.record(&Record::Select { instance: instance as u64 });
        self.selected = Some(instance);
    }

    /// Selects the instance, and tells where an event of it happens, whose own number for that is in two
    /// halves: the callers of the instance, if they are not told yet, and the stack inside.
    #[inline(always)]
    fn begin(&mut self, instance: usize, low: u64, high: u64, guest: &mut dyn Guest) -> ContextId {
        self.select(instance);
        let raw = low | high << 32;
        let Instance { module, ref entries, .. } = self.instances[instance];
        let Module { contexts, unseen, .. } = &mut self.modules[module];
        match contexts.known(raw) {
            Some(context) if unseen.is_empty() && entries.is_told() => context,
            Some(context) => {
                self.tell_caller(instance, context, None, guest);
                context
            }
            None => self.new_context(instance, raw, guest),
        }
    }

    /// Tells the callers at an event with this context, as far as they are not told yet.
    #[cold]
    fn tell_caller(
        &mut self,
        instance: usize,
        context: ContextId,
        caller: Option<Vec<Frame>>,
        guest: &mut dyn Guest,
    ) {
        let Instance { module, ref entries, .. } = self.instances[instance];
        if let Some(&function) = self.modules[module].unseen.get(&context) {
            self.tell_unseen(instance, function, context, caller, guest);
        } else if !entries.is_told() {
            self.tell_entry(instance, context, caller, guest);
        }
    }

    #[cold]
    fn new_context(&mut self, instance: usize, raw: u64, guest: &mut dyn Guest) -> ContextId {
        let Instance { module, ref entries, .. } = self.instances[instance];
        let wants_stack = self.contexts.wants_stack(module, entries.function());
        let backtrace = if wants_stack { Some(guest.backtrace()) } else { None };
        let known = &mut self.modules[module].contexts;
        let (context, is_new) = self.contexts.define(raw, known);
        let (frames, caller) = match backtrace {
            Some(mut backtrace) => {
                let frames = std::mem::take(&mut backtrace.inner);
                if let (false, Some(Frame::Wasm { function, .. })) =
                    (backtrace.is_seen, frames.last())
                {
                    self.modules[module].unseen.insert(context, *function);
                }
                (frames, backtrace.into_caller())
            }
            None => (Vec::new(), None),
        };
        if is_new {
            self.writer.record(&Record::Context { frames });
        }
        self.tell_caller(instance, context, caller, guest);
        context
    }

    /// An allocation is over: it failed, or there is a block.
    #[inline]
    fn settled(&mut self, instance: usize, pointer: u64, size: u64, guest: &mut dyn Guest) {
        let memory = &mut self.memories[self.instances[instance].memory];
        if pointer != 0 {
            let end = pointer.saturating_add(size);
            let (lowest, highest) = memory.blocks.unwrap_or((pointer, end));
            memory.blocks = Some((lowest.min(pointer), highest.max(end)));
        } else if size != 0 {
            // Whoever ignores that writes near address 0: what was there before does not count.
            memory.low_memory.look_again();
            self.look(instance, guest);
        }
    }

    /// The host passed the next arguments of a function.
    fn passed(&mut self, instance: usize, values: &[u64], guest: &mut dyn Guest) {
        let Some(passed) = self.instances[instance].entries.pass(values.len()) else { return };
        let (function, first, caller) = passed;
        let passed = |index| Crossing::Passed { function, parameter: first + index, caller };
        self.crossed(instance, values, passed, guest);
    }

    /// Values came to the host or from it. Those that can be a block's address are recorded, with how each of them
    /// crossed.
    fn crossed(
        &mut self,
        instance: usize,
        values: &[u64],
        crossing: impl Fn(u32) -> Crossing,
        guest: &mut dyn Guest,
    ) {
        let memory = self.instances[instance].memory;
        let Some((lowest, highest)) = self.memories[memory].blocks else { return };
        if crossing(0) != Crossing::HandedOut && !self.is_crossed(instance, guest) {
            return;
        }
        let values = values.iter().copied().zip(0..);
        for (pointer, index) in values.filter(|(value, _)| (lowest..=highest).contains(value)) {
            self.select(instance);
            self.writer.event(&Event::Crossed { pointer, crossing: crossing(index) });
        }
    }

    /// Whether what the entry under way passes and returns crosses to the host. A host with a stack is on its way
    /// from the module to itself, unless it allocates or frees for its own. Of another one it is not known for
    /// certain that the entry is inside.
    fn is_crossed(&self, instance: usize, guest: &dyn Guest) -> bool {
        let Instance { module, ref entries, .. } = self.instances[instance];
        !entries.is_inside()
            || !guest.has_host_stack()
            || entries.function().is_some_and(|function| self.modules[module].is_hooked(function))
    }

    /// Records whether memory near address 0 has changed since the last look. The host looks after
    /// each call of an export.
    #[cold]
    pub fn look(&mut self, instance: usize, guest: &mut dyn Guest) {
        let memory = self.instances[instance].memory;
        if let Some(change) = self.memories[memory].low_memory.look(guest.memory()) {
            self.select(instance);
            self.writer.record(&change);
        }
    }

    /// Records the state of an instance, and of its memory if no other used it before: page by page,
    /// without pages that are all zero, after a look at memory near address 0. `frames_live` says whether
    /// code of the module is running.
    pub fn snapshot(&mut self, instance: usize, guest: &mut dyn Guest, frames_live: bool) {
        self.look(instance, guest);
        self.write_calls();
        if !frames_live && guest.is_running() {
            let stack_pointer = self.module_of(instance).stack_pointer;
            let stack_pointer = stack_pointer.and_then(|global| guest.global(global));
            self.did_not_return(instance, stack_pointer);
        }
        self.select(instance);
        let Instance { module, memory, .. } = self.instances[instance];
        if self.memories[memory].first_user == Some(instance) {
            let page_bytes = crate::module::PAGE_BYTES as usize;
            let contents = guest.memory();
            let pages = contents.len() as u64 / self.modules[module].page_bytes;
            self.writer.record(&Record::Snapshot { memory: memory as u64, pages });
            for (page, bytes) in contents.chunks(page_bytes).enumerate() {
                if bytes.iter().any(|byte| *byte != 0) {
                    self.writer.snapshot_bytes((page * page_bytes) as u64, bytes);
                }
            }
        }
        let globals = self.modules[module].globals.iter();
        let values =
            globals.filter_map(|&index| Some((u64::from(index), guest.global(index)?))).collect();
        let live_frames = if frames_live { LiveFrames::Own } else { LiveFrames::None };
        self.writer.record(&Record::Globals { live_frames, values });
    }

    /// Whether a program that exits with this stack in an instance still has pointers in the locals of
    /// its own functions: whether any frame is not of the language's runtime.
    pub fn frames_hold_pointers(&self, instance: usize, frames: &[Frame]) -> bool {
        let of_module = |frame: &Frame| match *frame {
            Frame::Wasm { function, offset } => Some((function, offset)),
            Frame::Host(_) => None,
        };
        let frames: Vec<_> = frames.iter().filter_map(of_module).collect();
        !self.module_of(instance).runtime_frames.are_all_of(&frames)
    }

    /// The program ended by itself.
    pub fn exited(&mut self, code: i32) {
        self.write_calls();
        self.writer.record(&Record::Exit { code });
    }

    /// The program trapped; `frames` say where, the innermost first.
    pub fn trapped(&mut self, message: String, frames: Vec<Frame>) {
        self.write_calls();
        self.writer.record(&Record::Trap { message, frames });
    }

    fn write_calls(&mut self) {
        for number in 0..self.instances.len() {
            for Called { function, times, from } in self.instances[number].calls.take() {
                self.select(number);
                self.writer.event(&Event::Called { function, times });
                for (caller, times) in from {
                    self.writer.record(&Record::CalledFrom { function, caller, times });
                }
            }
        }
    }

    /// Hands on what has been recorded so far.
    pub fn flush(&mut self) {
        self.write_calls();
        self.writer.flush();
    }

    /// Ends the recording.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) when the sink failed.
    pub fn finish(mut self) -> Result<()> {
        self.write_calls();
        self.writer.finish().map(drop)
    }
}

/// A guest that nobody asks.
#[cfg(test)]
pub(crate) struct NoGuest;

#[cfg(test)]
impl Guest for NoGuest {
    fn backtrace(&mut self) -> Backtrace {
        Backtrace::new(Vec::new(), None)
    }

    fn memory(&mut self) -> &[u8] {
        &[]
    }

    fn global(&mut self, _: u32) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests;
