//! What a host of instrumented code must do, free of any engine.
//!
//! For each hook a host asks the [`Recorder`] for the context, takes a backtrace if the recorder
//! has never seen it, and records the event. That is all that happens while the guest waits: an
//! event is appended to a log, and everything else is worked out behind it.

#[cfg(feature = "wasmtime")]
pub mod wasmtime;

use std::io::Write;

use rustc_hash::FxHashMap;

use crate::allocator::Allocator;
use crate::error::Result;
use crate::event::{ContextId, Event};
use crate::module::Module;
use crate::trace::{Crossing, Frame, Record, Writer};

/// Distinct contexts that are told apart; the ones after them share one without a stack.
const MAX_CONTEXTS: usize = 1 << 20;

/// Backtraces taken in one recording; contexts after them have no stack. One costs some 30 µs.
const MAX_BACKTRACES: usize = 1 << 14;

/// Addresses that are watched for writes through NULL. Compilers leave at least this much free
/// below the first data segment.
const LOW_MEMORY_BYTES: u64 = 1024;

/// How many bytes from address 0 on are watched.
pub(crate) fn low_memory_bytes(module: &Module<'_>) -> u64 {
    module.first_data_address().map_or(LOW_MEMORY_BYTES, |address| address.min(LOW_MEMORY_BYTES))
}

/// Where a recording goes.
pub type Sink = Box<dyn Write + Send>;

/// Records what one instance does.
pub struct Recorder {
    writer: Writer<Sink>,
    contexts: FxHashMap<u64, ContextId>,
    /// The context of the last lookups, by the low bits of its value: most events come from few
    /// places.
    recent: Vec<(u64, ContextId)>,
    low_memory: Vec<u8>,
    /// From the lowest address at which there ever was a block to the end of the highest one.
    blocks: Option<(u64, u64)>,
    /// The size that a reallocation under way asks for.
    new_size: u64,
}

/// Number of entries in [`Recorder::recent`], a power of two.
const RECENT: usize = 1 << 12;

impl Recorder {
    /// Starts a recording of one module.
    pub fn new(module: &Module<'_>, name: &str, allocator: &Allocator, sink: Sink) -> Recorder {
        let mut writer = Writer::new(sink);
        writer.record(&Record::Module {
            name: name.to_owned(),
            bytes: module.bytes.to_vec(),
            allocator: serde_json::to_string(allocator).unwrap_or_default(),
        });
        Recorder {
            writer,
            contexts: FxHashMap::default(),
            recent: vec![(0, UNSEEN); RECENT],
            low_memory: Vec::new(),
            blocks: None,
            new_size: 0,
        }
    }

    /// The context that instrumented code calls `raw`, if it has been seen before.
    #[inline]
    pub fn known_context(&mut self, raw: u64) -> Option<ContextId> {
        let slot = (raw ^ (raw >> 32)) as usize % RECENT;
        let (value, id) = self.recent[slot];
        if value == raw && id != UNSEEN {
            return Some(id);
        }
        let id = *self.contexts.get(&raw)?;
        self.recent[slot] = (raw, id);
        Some(id)
    }

    /// Whether a new context's backtrace is still within the budget.
    pub fn wants_backtrace(&self) -> bool {
        self.contexts.len() < MAX_BACKTRACES
    }

    /// Gives a context that has not been seen before a number.
    pub fn define_context(&mut self, raw: u64, frames: Vec<Frame>) -> ContextId {
        if self.contexts.len() >= MAX_CONTEXTS {
            return ContextId(self.contexts.len() as u32 - 1);
        }
        let id = ContextId(self.contexts.len() as u32);
        self.contexts.insert(raw, id);
        self.writer.record(&Record::Context { frames });
        id
    }

    /// Records an event.
    #[inline]
    pub fn event(&mut self, event: &Event) {
        match *event {
            Event::Allocated { pointer, size, .. } => self.has_block(pointer, size),
            Event::Reallocating { new_size, .. } => self.new_size = new_size,
            Event::Reallocated { pointer } => self.has_block(pointer, self.new_size),
            Event::Freed { .. } | Event::Grown { .. } => {}
        }
        self.writer.event(event);
    }

    #[inline]
    fn has_block(&mut self, pointer: u64, size: u64) {
        if pointer != 0 {
            let end = pointer.saturating_add(size);
            let (lowest, highest) = self.blocks.unwrap_or((pointer, end));
            self.blocks = Some((lowest.min(pointer), highest.max(end)));
        }
    }

    /// Records that a value came to the host or from it, if it can be a block's address.
    pub fn crossed(&mut self, value: u64, crossing: Crossing) {
        if self.blocks.is_some_and(|(lowest, highest)| (lowest..=highest).contains(&value)) {
            self.writer.record(&Record::Crossed { pointer: value, crossing });
        }
    }

    /// Records anything else.
    pub fn record(&mut self, record: &Record) {
        self.writer.record(record);
    }

    /// Hands on what has been recorded so far.
    pub fn flush(&mut self) {
        self.writer.flush();
    }

    /// Remembers the memory below the first data segment, as it is before the program runs.
    pub fn watch_low_memory(&mut self, module: &Module<'_>, memory: &[u8]) {
        let end = memory.len().min(low_memory_bytes(module) as usize);
        self.low_memory = memory[..end].to_vec();
    }

    /// Records whether the memory below the first data segment has changed since the last look.
    pub fn check_low_memory(&mut self, memory: &[u8]) {
        let watched = &memory[..self.low_memory.len().min(memory.len())];
        let mut changed = watched
            .iter()
            .zip(&self.low_memory)
            .enumerate()
            .filter(|(_, (now, before))| now != before)
            .map(|(address, _)| address as u64);
        let Some(first) = changed.next() else { return };
        let (count, last) = changed.fold((1, first), |(count, _), address| (count + 1, address));
        self.writer.record(&Record::LowMemory { first, last, changed: count });
        self.low_memory = watched.to_vec();
    }

    /// Records the state of the memory, page by page, without pages that are all zero.
    pub fn snapshot(&mut self, memory: &[u8], globals: Vec<(u64, u64)>, frames_live: bool) {
        const PAGE: usize = crate::module::PAGE_BYTES as usize;
        let pages = (memory.len() / PAGE) as u64;
        self.writer.record(&Record::Snapshot { pages, frames_live, globals });
        for (page, bytes) in memory.chunks(PAGE).enumerate() {
            if bytes.iter().any(|byte| *byte != 0) {
                self.writer.snapshot_bytes((page * PAGE) as u64, bytes);
            }
        }
    }

    /// Ends the recording.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) when the sink failed.
    pub fn finish(self) -> Result<()> {
        self.writer.finish().map(drop)
    }
}

const UNSEEN: ContextId = ContextId(u32::MAX);
