//! Records to bytes.

use std::fmt;
use std::io::Write;

use super::{
    BadAccess, Crossing, Entry, Event, Frame, HostRecord, MAGIC, NotReturned, Record, Sharing,
    UNKNOWN_SIZE, tags,
};
use crate::error::{Error, ErrorKind, Result};

/// Bytes gathered before they are handed on.
const CHUNK_BYTES: usize = 64 * 1024;

/// Tells how many microseconds have passed since the recording began. The host has one: not every
/// target that this library is built for can tell the time.
type Clock = Box<dyn FnMut() -> u64 + Send>;

/// Writes a trace. Events cost an append to a buffer; full buffers go to the sink.
pub struct Writer<W> {
    sink: W,
    buffer: Vec<u8>,
    last_pointer: u64,
    /// Without one, the trace has no times.
    clock: Option<Clock>,
    /// Why the sink failed. Recording goes on without it; [`Writer::finish`] says so.
    failure: Option<Error>,
}

impl<W: Write> Writer<W> {
    /// Starts a trace without times.
    pub fn new(sink: W) -> Writer<W> {
        let mut buffer = Vec::with_capacity(CHUNK_BYTES + 256);
        buffer.extend_from_slice(&MAGIC);
        Writer { sink, buffer, last_pointer: 0, clock: None, failure: None }
    }

    /// Writes the time into the trace, with every 64 KiB and at its end.
    #[must_use]
    pub(crate) fn with_clock(mut self, clock: impl FnMut() -> u64 + Send + 'static) -> Writer<W> {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Appends a record.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Module { name, bytes, allocator } => {
                self.tag(tags::MODULE);
                self.bytes(name.as_bytes());
                self.bytes(bytes);
                self.bytes(allocator.as_bytes());
            }
            Record::ModuleBeside { name, digest, allocator } => {
                self.tag(tags::MODULE_BESIDE);
                self.bytes(name.as_bytes());
                self.bytes(digest);
                self.bytes(allocator.as_bytes());
            }
            Record::ModuleNumber { number } => {
                self.tag(tags::MODULE_NUMBER);
                self.number(*number);
            }
            Record::ModuleOfProcess { number } => {
                self.tag(tags::MODULE_OF_PROCESS);
                self.number(*number);
            }
            Record::Thread { process, thread } => {
                self.tag(tags::THREAD);
                self.bytes(process.as_bytes());
                self.number(*thread);
            }
            Record::Memory { initial_pages, max_pages, page_bytes, sharing } => {
                self.tag(tags::MEMORY);
                self.number(*initial_pages);
                self.optional(*max_pages);
                self.number(*page_bytes);
                self.number(match *sharing {
                    Sharing::Private => 0,
                    Sharing::Unknown => 1,
                    Sharing::Shared(identity) => identity.saturating_add(2),
                });
            }
            Record::Instance { module, memory } => {
                self.tag(tags::INSTANCE);
                self.number(*module);
                self.number(*memory);
            }
            Record::Select { instance } => {
                self.tag(tags::SELECT);
                self.number(*instance);
            }
            Record::Context { frames } => {
                self.tag(tags::CONTEXT);
                self.frames(frames);
            }
            Record::HostStack { module, frames } => {
                self.tag(tags::HOST_STACK);
                self.optional(*module);
                self.frames(frames);
            }
            Record::Entered(entry) => self.entered(entry),
            Record::Resumed { level } => {
                self.tag(tags::RESUMED);
                self.number(*level);
            }
            Record::NotReturned(call) => self.not_returned(call),
            Record::CalledFrom { function, caller, times } => {
                self.tag(tags::CALLED_FROM);
                self.number(u64::from(*function));
                self.number(u64::from(caller.0));
                self.number(*times);
            }
            Record::Sequence { number } => {
                self.tag(tags::SEQUENCE);
                self.number(*number);
            }
            Record::Clock { micros } => {
                self.tag(tags::CLOCK);
                self.number(*micros);
            }
            Record::LowMemory { first, last, changed } => {
                self.tag(tags::LOW_MEMORY);
                self.number(*first);
                self.number(*last);
                self.number(*changed);
            }
            Record::Checked { knows_heap } => {
                self.tag(tags::CHECKED);
                self.number(u64::from(*knows_heap));
            }
            Record::Unchecked { function } => {
                self.tag(tags::UNCHECKED);
                self.number((*function).into());
            }
            Record::Snapshot { memory, pages } => {
                self.tag(tags::SNAPSHOT);
                self.number(*memory);
                self.number(*pages);
            }
            Record::Globals { live_frames, values } => {
                self.tag(tags::GLOBALS);
                self.number(*live_frames as u64);
                self.number(values.len() as u64);
                for (index, value) in values {
                    self.number(*index);
                    self.number(*value);
                }
            }
            Record::SnapshotBytes { address, bytes } => self.snapshot_bytes(*address, bytes),
            Record::Event(event) => self.event(event),
            Record::Host(record) => self.host_record(record),
            Record::Exit { code } => {
                self.tag(tags::EXIT);
                self.number(zigzag(i64::from(*code)));
            }
            Record::Trap { message, frames } => {
                self.tag(tags::TRAP);
                self.bytes(message.as_bytes());
                self.frames(frames);
            }
        }
        self.flush_if_full();
    }

    fn host_record(&mut self, record: &HostRecord) {
        match record {
            HostRecord::Created { stack } => {
                self.tag(tags::CREATED);
                self.number(stack.0.into());
            }
            HostRecord::Collected => self.tag(tags::COLLECTED),
            HostRecord::SizeRead { memory, by, pages, stack } => {
                self.tag(tags::SIZE_READ);
                self.number(*memory);
                self.number(*by as u64);
                self.number(*pages);
                self.number(stack.0.into());
            }
            HostRecord::HostGrown { memory, delta_pages, previous_pages, stack } => {
                self.tag(tags::HOST_GROWN);
                self.number(*memory);
                self.number(*delta_pages);
                self.optional(*previous_pages);
                self.number(stack.0.into());
            }
            HostRecord::Registered { memory, address, stack } => {
                self.tag(tags::REGISTERED);
                self.number(*memory);
                self.number(*address);
                self.number(stack.0.into());
            }
            HostRecord::Kept { memory, address } => {
                self.tag(tags::KEPT);
                self.number(*memory);
                self.number(*address);
            }
            HostRecord::Unregistered { memory, address } => {
                self.tag(tags::UNREGISTERED);
                self.number(*memory);
                self.number(*address);
            }
            HostRecord::Overwritten { memory, stack } => {
                self.tag(tags::OVERWRITTEN);
                self.number(*memory);
                self.number(stack.0.into());
            }
            HostRecord::Accessed { memory, address, bytes, is_write, stack } => {
                self.tag(tags::ACCESSED);
                self.number(*memory);
                self.pointer(*address);
                self.number(*bytes);
                self.number((*is_write).into());
                self.number(stack.0.into());
            }
            HostRecord::StaleView { memory, pages, stack } => {
                self.tag(tags::STALE_VIEW);
                self.number(*memory);
                self.number(*pages);
                self.number(stack.0.into());
            }
            HostRecord::TookFunction => self.tag(tags::TOOK_FUNCTION),
            HostRecord::Note { text } => {
                self.tag(tags::NOTE);
                self.bytes(text.as_bytes());
            }
            HostRecord::Uncaught { text } => {
                self.tag(tags::UNCAUGHT);
                self.bytes(text.as_bytes());
            }
            HostRecord::Refused { what, module, text, alive, stack } => {
                self.tag(tags::REFUSED);
                self.number(*what as u64);
                self.optional(*module);
                self.bytes(text.as_bytes());
                self.number(alive.instances);
                self.number(alive.memories);
                self.number(alive.pages);
                self.number(stack.0.into());
            }
        }
    }

    fn entered(&mut self, entry: &Entry) {
        self.tag(tags::ENTERED);
        self.number(u64::from(entry.function));
        self.number(entry.level);
        self.number(entry.caller.map_or(0, |caller| u64::from(caller.0) + 1));
        self.optional(entry.stack_pointer);
    }

    fn not_returned(&mut self, call: &NotReturned) {
        self.tag(tags::NOT_RETURNED);
        self.number(u64::from(call.function));
        self.number(call.caller.map_or(0, |caller| u64::from(caller.0) + 1));
        self.number(call.stack_bytes);
        call.passed.iter().for_each(|value| self.number(*value));
    }

    /// Appends an event; the same as [`Writer::record`] with [`Record::Event`].
    // A recorder knows which event it writes, so all but its own arm is gone there.
    #[inline(always)]
    pub(crate) fn event(&mut self, event: &Event) {
        match *event {
            Event::Allocated { pointer, size, align, context } => {
                self.tag(if align == 0 { tags::ALLOCATED } else { tags::ALLOCATED_ALIGNED });
                self.number(u64::from(context.0));
                self.pointer(pointer);
                self.number(size);
                if align != 0 {
                    self.number(align);
                }
            }
            Event::Freed { pointer, size, align, context } => {
                let sized = size != UNKNOWN_SIZE;
                self.tag(if sized { tags::FREED_SIZED } else { tags::FREED });
                self.number(u64::from(context.0));
                self.pointer(pointer);
                if sized {
                    self.number(size);
                    self.number(align);
                }
            }
            Event::Reallocating { pointer, old_size, align, new_size, context } => {
                let sized = old_size != UNKNOWN_SIZE;
                self.tag(if sized { tags::REALLOCATING_SIZED } else { tags::REALLOCATING });
                self.number(u64::from(context.0));
                self.pointer(pointer);
                if sized {
                    self.number(old_size);
                    self.number(align);
                }
                self.number(new_size);
            }
            Event::Reallocated { pointer } => {
                self.tag(tags::REALLOCATED);
                self.pointer(pointer);
            }
            Event::Grown { delta_pages, previous_pages, in_allocator, context } => {
                self.tag(if previous_pages.is_some() { tags::GROWN } else { tags::GROW_FAILED });
                self.number(u64::from(context.0));
                self.number(u64::from(in_allocator));
                self.number(delta_pages);
                if let Some(pages) = previous_pages {
                    self.number(pages);
                }
            }
            Event::Called { function, times } => {
                self.tag(tags::CALLED);
                self.number(u64::from(function));
                self.number(times);
            }
            Event::Crossed { pointer, crossing } => self.crossed(pointer, crossing),
            Event::BadAccess(access) => self.bad_access(&access),
        }
        self.flush_if_full();
    }

    #[cold]
    fn bad_access(&mut self, access: &BadAccess) {
        self.tag(tags::BAD_ACCESS);
        self.number(u64::from(access.context.0));
        self.number(u64::from(access.instruction));
        self.number(access.by as u64);
        self.pointer(access.address);
        self.number(access.bytes);
    }

    fn crossed(&mut self, pointer: u64, crossing: Crossing) {
        match crossing {
            Crossing::HandedOut => self.tag(tags::HANDED_OUT),
            Crossing::Passed { function, parameter, caller } => {
                self.tag(tags::PASSED);
                self.number(u64::from(function));
                self.number(u64::from(parameter));
                self.number(caller.map_or(0, |caller| u64::from(caller.0) + 1));
            }
            Crossing::Returned(function) => {
                self.tag(tags::RETURNED);
                self.number(u64::from(function));
            }
        }
        self.pointer(pointer);
    }

    /// Appends a part of a snapshot.
    pub(crate) fn snapshot_bytes(&mut self, address: u64, bytes: &[u8]) {
        self.tag(tags::SNAPSHOT_BYTES);
        self.number(address);
        self.bytes(bytes);
        self.flush_if_full();
    }

    /// Hands on what has been gathered, with the time if there is a clock.
    pub fn flush(&mut self) {
        if let Some(clock) = &mut self.clock {
            let micros = clock();
            self.tag(tags::CLOCK);
            self.number(micros);
        }
        self.hand_on();
    }

    /// Ends the trace and returns the sink.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] when the sink failed at any time.
    pub fn finish(mut self) -> Result<W> {
        self.flush();
        match self.failure {
            Some(error) => Err(error),
            None => Ok(self.sink),
        }
    }

    #[inline]
    fn flush_if_full(&mut self) {
        if self.buffer.len() >= CHUNK_BYTES {
            self.flush();
        }
    }

    #[cold]
    fn hand_on(&mut self) {
        if self.failure.is_none() {
            let written = self.sink.write_all(&self.buffer).and_then(|()| self.sink.flush());
            self.failure = written
                .err()
                .map(|error| Error::new(ErrorKind::Io, format!("cannot write the trace: {error}")));
        }
        self.buffer.clear();
    }

    fn tag(&mut self, tag: u8) {
        self.buffer.push(tag);
    }

    /// LEB128, as in WebAssembly itself.
    #[inline]
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.buffer.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.push(value as u8);
    }

    fn optional(&mut self, value: Option<u64>) {
        self.number(u64::from(value.is_some()));
        if let Some(value) = value {
            self.number(value);
        }
    }

    /// Pointers stand close to each other, so the distance to the last one is written.
    #[inline]
    fn pointer(&mut self, pointer: u64) {
        self.number(zigzag(pointer.wrapping_sub(self.last_pointer) as i64));
        self.last_pointer = pointer;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.buffer.extend_from_slice(bytes);
    }

    fn frames(&mut self, frames: &[Frame]) {
        self.number(frames.len() as u64);
        for frame in frames {
            match frame {
                Frame::Wasm { function, offset } => {
                    self.number(u64::from(*function) + 1);
                    self.number(offset.map_or(0, |offset| u64::from(offset) + 1));
                }
                Frame::Host(text) => {
                    self.number(0);
                    self.bytes(text.as_bytes());
                }
            }
        }
    }
}

impl<W: fmt::Debug> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("sink", &self.sink).finish_non_exhaustive()
    }
}

/// Small numbers of either sign to small numbers.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}
