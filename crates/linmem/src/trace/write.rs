//! Records to bytes.

use std::io::Write;
use std::time::Instant;

use super::{Crossing, Frame, HostRecord, MAGIC, Record, tag};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, UNKNOWN_SIZE};

/// Bytes gathered before they are handed on.
const CHUNK_BYTES: usize = 64 * 1024;

/// Writes a trace. Events cost an append to a buffer; full buffers go to the sink.
#[derive(Debug)]
pub struct Writer<W> {
    sink: W,
    buffer: Vec<u8>,
    last_pointer: u64,
    started: Instant,
    /// Why the sink failed. Recording goes on without it; [`Writer::finish`] says so.
    failure: Option<Error>,
}

impl<W: Write> Writer<W> {
    /// Starts a trace.
    pub fn new(sink: W) -> Writer<W> {
        let mut buffer = Vec::with_capacity(CHUNK_BYTES + 256);
        buffer.extend_from_slice(&MAGIC);
        Writer { sink, buffer, last_pointer: 0, started: Instant::now(), failure: None }
    }

    /// Appends a record.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Module { name, bytes, allocator } => {
                self.tag(tag::MODULE);
                self.bytes(name.as_bytes());
                self.bytes(bytes);
                self.bytes(allocator.as_bytes());
            }
            Record::Instance { module, initial_pages, max_pages } => {
                self.tag(tag::INSTANCE);
                self.number(*module);
                self.number(*initial_pages);
                self.optional(*max_pages);
            }
            Record::Select { instance } => {
                self.tag(tag::SELECT);
                self.number(*instance);
            }
            Record::Context { frames } => {
                self.tag(tag::CONTEXT);
                self.frames(frames);
            }
            Record::Clock { micros } => {
                self.tag(tag::CLOCK);
                self.number(*micros);
            }
            Record::LowMemory { first, last, changed } => {
                self.tag(tag::LOW_MEMORY);
                self.number(*first);
                self.number(*last);
                self.number(*changed);
            }
            Record::Called { function, times } => {
                self.tag(tag::CALLED);
                self.number(u64::from(*function));
                self.number(*times);
            }
            Record::Crossed { pointer, crossing } => self.crossed(*pointer, *crossing),
            Record::Snapshot { pages, frames_live, globals } => {
                self.tag(tag::SNAPSHOT);
                self.number(*pages);
                self.number(u64::from(*frames_live));
                self.number(globals.len() as u64);
                for (index, value) in globals {
                    self.number(*index);
                    self.number(*value);
                }
            }
            Record::SnapshotBytes { address, bytes } => self.snapshot_bytes(*address, bytes),
            Record::Event(event) => self.event(event),
            Record::Host(record) => self.host_record(record),
            Record::Exit { code } => {
                self.tag(tag::EXIT);
                self.number(zigzag(i64::from(*code)));
            }
            Record::Trap { message, frames } => {
                self.tag(tag::TRAP);
                self.bytes(message.as_bytes());
                self.frames(frames);
            }
        }
        self.flush_if_full();
    }

    fn host_record(&mut self, record: &HostRecord) {
        match record {
            HostRecord::UsesMemory { memory } => {
                self.tag(tag::USES_MEMORY);
                self.number(*memory);
            }
            HostRecord::Created { context } => {
                self.tag(tag::CREATED);
                self.number(context.0.into());
            }
            HostRecord::Collected => self.tag(tag::COLLECTED),
            HostRecord::SizeRead { memory, by, pages, context } => {
                self.tag(tag::SIZE_READ);
                self.number(*memory);
                self.number(*by as u64);
                self.number(*pages);
                self.number(context.0.into());
            }
            HostRecord::HostGrown { memory, delta_pages, previous_pages, context } => {
                self.tag(tag::HOST_GROWN);
                self.number(*memory);
                self.number(*delta_pages);
                self.optional(*previous_pages);
                self.number(context.0.into());
            }
            HostRecord::StaleView { memory, pages, context } => {
                self.tag(tag::STALE_VIEW);
                self.number(*memory);
                self.number(*pages);
                self.number(context.0.into());
            }
            HostRecord::TookFunction => self.tag(tag::TOOK_FUNCTION),
            HostRecord::Note { text } => {
                self.tag(tag::NOTE);
                self.bytes(text.as_bytes());
            }
        }
    }

    /// Appends an event; the same as [`Writer::record`] with [`Record::Event`].
    #[inline]
    pub fn event(&mut self, event: &Event) {
        match *event {
            Event::Allocated { pointer, size, align, context } => {
                self.tag(if align == 0 { tag::ALLOCATED } else { tag::ALLOCATED_ALIGNED });
                self.number(u64::from(context.0));
                self.pointer(pointer);
                self.number(size);
                if align != 0 {
                    self.number(align);
                }
            }
            Event::Freed { pointer, size, align, context } => {
                let sized = size != UNKNOWN_SIZE;
                self.tag(if sized { tag::FREED_SIZED } else { tag::FREED });
                self.number(u64::from(context.0));
                self.pointer(pointer);
                if sized {
                    self.number(size);
                    self.number(align);
                }
            }
            Event::Reallocating { pointer, old_size, align, new_size, context } => {
                let sized = old_size != UNKNOWN_SIZE;
                self.tag(if sized { tag::REALLOCATING_SIZED } else { tag::REALLOCATING });
                self.number(u64::from(context.0));
                self.pointer(pointer);
                if sized {
                    self.number(old_size);
                    self.number(align);
                }
                self.number(new_size);
            }
            Event::Reallocated { pointer } => {
                self.tag(tag::REALLOCATED);
                self.pointer(pointer);
            }
            Event::Grown { delta_pages, previous_pages, in_allocator, context } => {
                self.tag(if previous_pages.is_some() { tag::GROWN } else { tag::GROW_FAILED });
                self.number(u64::from(context.0));
                self.number(u64::from(in_allocator));
                self.number(delta_pages);
                if let Some(pages) = previous_pages {
                    self.number(pages);
                }
            }
        }
        self.flush_if_full();
    }

    fn crossed(&mut self, pointer: u64, crossing: Crossing) {
        match crossing {
            Crossing::HandedOut => self.tag(tag::HANDED_OUT),
            Crossing::Passed => self.tag(tag::PASSED),
            Crossing::Returned(function) => {
                self.tag(tag::RETURNED);
                self.number(u64::from(function));
            }
        }
        self.pointer(pointer);
    }

    /// Appends a part of a snapshot.
    pub fn snapshot_bytes(&mut self, address: u64, bytes: &[u8]) {
        self.tag(tag::SNAPSHOT_BYTES);
        self.number(address);
        self.bytes(bytes);
        self.flush_if_full();
    }

    /// Hands on what has been gathered, with the time.
    pub fn flush(&mut self) {
        let micros = self.started.elapsed().as_micros() as u64;
        self.tag(tag::CLOCK);
        self.number(micros);
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

/// Small numbers of either sign to small numbers.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}
