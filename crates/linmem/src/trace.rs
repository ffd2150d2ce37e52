//! A recorded run: the versioned file format, its writer and its reader.
//!
//! The format is described in `docs/trace-format.md`. A trace is a stream of small records that
//! starts with the modules themselves, so it can be read on another machine, later. A trace that
//! ends early reads up to its last whole record.

mod read;
mod write;

use serde::{Deserialize, Serialize};

use crate::event::{ContextId, Event};

pub use read::Reader;
pub use write::Writer;

/// The first bytes of every trace; the last one is the format's version.
pub const MAGIC: [u8; 8] = *b"linmem\0\x01";

/// A run recorded in memory.
///
/// ```
/// # let wasm = wat::parse_str("(module (memory (export \"memory\") 1) (func (export \"_start\")))").unwrap();
/// let run = linmem::wasmtime::Run::new(&wasm)?.run()?;
/// assert!(run.trace.records().all(|record| record.is_ok()));
/// # Ok::<(), linmem::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Trace {
    bytes: Vec<u8>,
}

impl Trace {
    /// Takes the bytes of a trace file. They are checked when they are read.
    pub fn from_bytes(bytes: Vec<u8>) -> Trace {
        Trace { bytes }
    }

    /// The bytes, as they would stand in a file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads the records, in order.
    pub fn records(&self) -> Reader<&[u8]> {
        Reader::new(&self.bytes)
    }
}

/// One record of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A module that instances are made from; modules are numbered from 0.
    Module {
        /// What the user calls it: a file name.
        name: String,
        /// The original file.
        bytes: Vec<u8>,
        /// Which functions were hooked and why: an [`Allocator`](crate::Allocator) as JSON.
        allocator: String,
    },
    /// A new instance; instances are numbered from 0. Records that follow are about it.
    Instance {
        /// Number of its module.
        module: u64,
        /// Pages at the start.
        initial_pages: u64,
        /// Pages it may grow to at most, if that is limited.
        max_pages: Option<u64>,
    },
    /// Records that follow are about this instance.
    Select {
        /// Its number.
        instance: u64,
    },
    /// A distinct call stack, innermost frame first; contexts are numbered from 0 per trace.
    /// No frames: the stack was not taken.
    Context {
        /// The frames.
        frames: Vec<Frame>,
    },
    /// Microseconds since the recording began.
    Clock {
        /// The time.
        micros: u64,
    },
    /// Bytes below the first data segment have changed since the last such record.
    LowMemory {
        /// First changed address.
        first: u64,
        /// Last changed address.
        last: u64,
        /// Number of changed bytes.
        changed: u64,
    },
    /// The host called an exported function.
    Called {
        /// The function's index.
        function: u32,
        /// How often, since the last such record.
        times: u64,
    },
    /// An address, or what looks like one, came to the host or from it.
    Crossed {
        /// The address.
        pointer: u64,
        /// How.
        crossing: Crossing,
    },
    /// The state of memory 0 and the globals. Memory follows in `SnapshotBytes`.
    Snapshot {
        /// Pages now.
        pages: u64,
        /// Whether wasm frames are live, whose locals nobody sees.
        frames_live: bool,
        /// Integer globals that can change: `(index, value)`.
        globals: Vec<(u64, u64)>,
    },
    /// A part of the memory that is not all zero.
    SnapshotBytes {
        /// Its address.
        address: u64,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// What happened in the instance.
    Event(Event),
    /// What the host did with an instance or its memory.
    Host(HostRecord),
    /// The program ended by itself.
    Exit {
        /// Its exit code.
        code: i32,
    },
    /// The program trapped.
    Trap {
        /// The engine's words.
        message: String,
        /// Where, innermost frame first.
        frames: Vec<Frame>,
    },
}

/// What only a host can see: a program around the modules that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRecord {
    /// Memory 0 of the selected instance is this one. The recorder numbers memories from 0, as it
    /// comes to see them.
    UsesMemory {
        /// Its number.
        memory: u64,
    },
    /// Where the selected instance was created.
    Created {
        /// The stack.
        context: ContextId,
    },
    /// The selected instance was garbage-collected.
    Collected,
    /// The program asked how large a memory is.
    SizeRead {
        /// Number of the memory.
        memory: u64,
        /// How it asked.
        by: SizeReadBy,
        /// What it was told.
        pages: u64,
        /// Where it asked.
        context: ContextId,
    },
    /// The program grew a memory from outside, by at least one page.
    HostGrown {
        /// Number of the memory.
        memory: u64,
        /// Pages asked for.
        delta_pages: u64,
        /// Pages before; `None` when it was refused.
        previous_pages: Option<u64>,
        /// Where.
        context: ContextId,
    },
    /// The program used a view that an earlier growth had detached.
    StaleView {
        /// Number of the memory.
        memory: u64,
        /// The memory's size when the view was made.
        pages: u64,
        /// Where it was used.
        context: ContextId,
    },
    /// The program took a function out of a table or a global, or put one of its own into a table, that the
    /// selected instance uses: calls of these are not seen.
    TookFunction,
    /// Something that the reader of a report should know, in the recorder's words.
    Note {
        /// The words.
        text: String,
    },
}

/// How an address got to the host, or how it shows that the host has it; the strongest evidence is the
/// greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Crossing {
    /// The module passed it to an imported function.
    HandedOut,
    /// The host passed it to an exported function.
    Passed,
    /// This exported function returned it.
    Returned(u32),
}

/// How a host asks for the size of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SizeReadBy {
    /// The length of a buffer or view.
    HostView = 0,
    /// Growing by nothing.
    GrowZero = 1,
    /// An exported function that executes `memory.size`.
    Instruction = 2,
}

/// One frame of a call stack.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Frame {
    /// WebAssembly code.
    Wasm {
        /// Function index in the original module.
        function: u32,
        /// Offset of the instruction in the original file; `None` for the function as a whole.
        offset: Option<u32>,
    },
    /// Host code, in the host's words.
    Host(String),
}

/// The tags of the records, one byte each.
mod tag {
    pub const MODULE: u8 = 0x01;
    pub const INSTANCE: u8 = 0x02;
    pub const SELECT: u8 = 0x03;
    pub const CONTEXT: u8 = 0x04;
    pub const CLOCK: u8 = 0x05;
    pub const LOW_MEMORY: u8 = 0x06;
    pub const CALLED: u8 = 0x07;
    pub const RETURNED: u8 = 0x08;
    pub const SNAPSHOT: u8 = 0x09;
    pub const SNAPSHOT_BYTES: u8 = 0x0a;
    pub const EXIT: u8 = 0x0b;
    pub const TRAP: u8 = 0x0c;
    pub const PASSED: u8 = 0x0d;
    pub const HANDED_OUT: u8 = 0x0e;
    pub const USES_MEMORY: u8 = 0x20;
    pub const CREATED: u8 = 0x21;
    pub const COLLECTED: u8 = 0x22;
    pub const SIZE_READ: u8 = 0x23;
    pub const HOST_GROWN: u8 = 0x24;
    pub const STALE_VIEW: u8 = 0x25;
    pub const NOTE: u8 = 0x26;
    pub const TOOK_FUNCTION: u8 = 0x27;
    pub const ALLOCATED: u8 = 0x10;
    pub const ALLOCATED_ALIGNED: u8 = 0x11;
    pub const FREED: u8 = 0x12;
    pub const FREED_SIZED: u8 = 0x13;
    pub const REALLOCATING: u8 = 0x14;
    pub const REALLOCATING_SIZED: u8 = 0x15;
    pub const REALLOCATED: u8 = 0x16;
    pub const GROWN: u8 = 0x17;
    pub const GROW_FAILED: u8 = 0x18;
}
