//! What each hook means: calls of hooks in, the records of a trace out. No engine is named here: a
//! host passes on what instrumented code calls, and shows the [`Guest`] where the recorder asks.
//!
//! The recorder for JavaScript hosts (`packages/linmem/src/record`) is the same machine under the same
//! names, and both pass the cases in `testdata/hooks.json`.
//!
//! While the guest waits, a hook only appends to a log; everything else is worked out behind it.

mod calls;
mod contexts;
mod low_memory;

use std::io::Write;

use crate::error::{Error, ErrorKind, Result};
use crate::instrument::hooks::exported_globals;
use crate::language::RuntimeFrames;
use crate::prepared::Prepared;
use crate::trace::{ContextId, Crossing, Event, Frame, Record, UNKNOWN_SIZE, Writer};

pub use crate::instrument::hooks::Hook;

use calls::Calls;
use contexts::Contexts;
#[cfg(test)]
pub(crate) use contexts::{MAX_CONTEXTS, MAX_STACKS};
use low_memory::LowMemory;

/// Where a recording goes.
type Sink = Box<dyn Write + Send>;

/// What a recorder asks of the instance that runs. Most hooks' calls ask nothing.
pub trait Guest {
    /// The call stack, innermost frame first, in terms of the original module.
    fn backtrace(&mut self) -> Vec<Frame>;

    /// The bytes of memory 0.
    fn memory(&mut self) -> &[u8];

    /// The value of a global, given its index in the original module; `None` if it cannot be read.
    fn global(&mut self, index: u32) -> Option<u64>;
}

/// Records what one instance does. The front page of this library shows one at work.
pub struct Recorder {
    writer: Writer<Sink>,
    contexts: Contexts,
    calls: Calls,
    low_memory: LowMemory,
    /// From the lowest address at which there ever was a block to the end of the highest one.
    blocks: Option<(u64, u64)>,
    /// The size that a reallocation under way asks for.
    new_size: u64,
    /// The largest value of an address or a size: what -1 is as a parameter.
    minus_one: u64,
    globals: Vec<u32>,
    runtime_frames: RuntimeFrames,
}

impl Recorder {
    /// Starts a recording of one module, which reports call `name`. The clock tells the microseconds since
    /// the recording began: not every target that this library is built for can tell the time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] when the allocator cannot be written down.
    pub fn new(
        prepared: &Prepared<'_>,
        name: &str,
        sink: impl Write + Send + 'static,
        clock: impl FnMut() -> u64 + Send + 'static,
    ) -> Result<Recorder> {
        let allocator = serde_json::to_string(prepared.allocator()).map_err(|error| {
            let message = format!("cannot write down the allocator's functions: {error}");
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let mut writer = Writer::new(Box::new(sink) as Sink).with_clock(clock);
        writer.record(&Record::Module {
            name: name.to_owned(),
            bytes: prepared.wasm().to_vec(),
            allocator,
        });
        let is_64 = prepared.memory().is_some_and(|memory| memory.is_64);
        Ok(Recorder {
            writer,
            contexts: Contexts::default(),
            calls: Calls::default(),
            low_memory: LowMemory::new(prepared.module.low_memory_bytes()),
            blocks: None,
            new_size: 0,
            minus_one: if is_64 { u64::MAX } else { u32::MAX.into() },
            globals: exported_globals(&prepared.module).collect(),
            runtime_frames: RuntimeFrames::of(&prepared.module),
        })
    }

    /// There is an instance now: pages at the start, and at most.
    pub fn instance(&mut self, initial_pages: u64, max_pages: Option<u64>) {
        self.writer.record(&Record::Instance { module: 0, initial_pages, max_pages });
    }

    /// The instance is complete. What its memory holds near address 0 is remembered, so that writes
    /// through NULL can be seen later.
    pub fn completed(&mut self, guest: &mut dyn Guest) {
        self.low_memory.remember(guest.memory());
    }

    /// Instrumented code called a hook with these arguments, as [`Hook`] lists them; those of 32 bits
    /// are extended with zeros.
    ///
    /// # Panics
    ///
    /// When there are fewer arguments than the hook has parameters.
    #[inline]
    pub fn hook(&mut self, hook: Hook, args: &[u64], guest: &mut dyn Guest) {
        match (hook, args) {
            (Hook::Allocated, &[pointer, size, align, low, high, ..]) => {
                let context = self.context(low, high, guest);
                self.settled(pointer, size, guest);
                self.writer.event(&Event::Allocated { pointer, size, align, context });
            }
            (Hook::Freed, &[pointer, size, align, low, high, ..]) => {
                let context = self.context(low, high, guest);
                let size = self.known_size(size);
                self.writer.event(&Event::Freed { pointer, size, align, context });
            }
            (Hook::Reallocating, &[pointer, old_size, align, new_size, low, high, ..]) => {
                let context = self.context(low, high, guest);
                let old_size = self.known_size(old_size);
                self.new_size = new_size;
                let event = Event::Reallocating { pointer, old_size, align, new_size, context };
                self.writer.event(&event);
            }
            (Hook::Reallocated, &[pointer, ..]) => {
                self.settled(pointer, self.new_size, guest);
                self.writer.event(&Event::Reallocated { pointer });
            }
            (Hook::Grown, &[delta_pages, previous, in_allocator, low, high, ..]) => {
                let context = self.context(low, high, guest);
                let previous_pages = Some(previous).filter(|pages| *pages != self.minus_one);
                let in_allocator = in_allocator != 0;
                let event = Event::Grown { delta_pages, previous_pages, in_allocator, context };
                self.writer.event(&event);
            }
            (Hook::Entered, &[function, ref passed @ ..]) => {
                if self.low_memory.looks_again() {
                    self.look(guest);
                }
                self.calls.add(function as u32);
                self.crossed(passed, Crossing::Passed);
            }
            (Hook::Passed, passed) => self.crossed(passed, Crossing::Passed),
            (Hook::Returned, &[function, ref values @ ..]) => {
                self.crossed(values, Crossing::Returned(function as u32));
            }
            (Hook::HandedOut, values) => self.crossed(values, Crossing::HandedOut),
            (hook, args) => panic!("{} does not take {} arguments", hook.name(), args.len()),
        }
    }

    /// An allocation is over: it failed, or there is a block.
    #[inline]
    fn settled(&mut self, pointer: u64, size: u64, guest: &mut dyn Guest) {
        if pointer != 0 {
            let end = pointer.saturating_add(size);
            let (lowest, highest) = self.blocks.unwrap_or((pointer, end));
            self.blocks = Some((lowest.min(pointer), highest.max(end)));
        } else if size != 0 {
            // Whoever ignores that writes near address 0: what was there before does not count.
            self.look(guest);
            self.low_memory.look_again();
        }
    }

    /// Values came to the host or from it. Those that can be a block's address are recorded.
    fn crossed(&mut self, values: &[u64], crossing: Crossing) {
        let Some((lowest, highest)) = self.blocks else { return };
        for &pointer in values.iter().filter(|value| (lowest..=highest).contains(value)) {
            self.writer.event(&Event::Crossed { pointer, crossing });
        }
    }

    /// A size that is -1 was not said.
    #[inline]
    fn known_size(&self, size: u64) -> u64 {
        if size == self.minus_one { UNKNOWN_SIZE } else { size }
    }

    /// The context of an event, whose own number for it is in two halves. A new one gets its stack.
    #[inline]
    fn context(&mut self, low: u64, high: u64, guest: &mut dyn Guest) -> ContextId {
        let raw = low | high << 32;
        match self.contexts.known(raw) {
            Some(context) => context,
            None => self.new_context(raw, guest),
        }
    }

    #[cold]
    fn new_context(&mut self, raw: u64, guest: &mut dyn Guest) -> ContextId {
        let frames = if self.contexts.wants_stack() { guest.backtrace() } else { Vec::new() };
        let (context, is_new) = self.contexts.define(raw);
        if is_new {
            self.writer.record(&Record::Context { frames });
        }
        context
    }

    /// Records whether memory near address 0 has changed since the last look. The host looks after
    /// each call of an export.
    #[cold]
    pub fn look(&mut self, guest: &mut dyn Guest) {
        if let Some(change) = self.low_memory.look(guest.memory()) {
            self.writer.record(&change);
        }
    }

    /// Records the state of the memory, page by page, without pages that are all zero, and of the
    /// globals, after a look at memory near address 0. `frames_live` says whether code of the module is
    /// running.
    pub fn snapshot(&mut self, guest: &mut dyn Guest, frames_live: bool) {
        const PAGE: usize = crate::module::PAGE_BYTES as usize;
        self.look(guest);
        self.write_calls();
        let globals = self.globals.iter();
        let globals: Vec<(u64, u64)> =
            globals.filter_map(|&index| Some((u64::from(index), guest.global(index)?))).collect();
        let memory = guest.memory();
        let pages = (memory.len() / PAGE) as u64;
        self.writer.record(&Record::Snapshot { pages, frames_live, globals });
        for (page, bytes) in memory.chunks(PAGE).enumerate() {
            if bytes.iter().any(|byte| *byte != 0) {
                self.writer.snapshot_bytes((page * PAGE) as u64, bytes);
            }
        }
    }

    /// Whether a program that exits with this stack still has pointers in the locals of its own
    /// functions: whether any frame is not of the language's runtime.
    pub fn frames_hold_pointers(&self, frames: &[Frame]) -> bool {
        frames.iter().any(|frame| match frame {
            Frame::Wasm { function, .. } => !self.runtime_frames.contains(*function),
            Frame::Host(_) => false,
        })
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
        for (function, times) in self.calls.take() {
            self.writer.event(&Event::Called { function, times });
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
    /// [`ErrorKind::Io`] when the sink failed.
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
    fn backtrace(&mut self) -> Vec<Frame> {
        Vec::new()
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
