//! A recorded run: the versioned file format, its writer and its reader.
//!
//! The format is described in `docs/trace-format.md`. A trace is a stream of small records that
//! starts with the modules themselves, so it can be read on another machine, later. A trace that
//! ends early reads up to its last whole record.

mod buffer;
pub(crate) mod merge;
mod modules_beside;
mod reader;
mod records;
pub(crate) mod tags;
mod writer;

pub use buffer::Buffer;
pub(crate) use modules_beside::{ELSEWHERE, ModulesBeside};
pub use reader::Reader;
pub use records::{
    AccessedBy, Alive, BadAccess, ContextId, Crossing, Entry, Event, Frame, HostRecord,
    HostStackId, LiveFrames, NotReturned, Record, Refused, Sharing, SizeReadBy, UNKNOWN_SIZE,
};
pub use writer::Writer;

/// The first bytes of every trace; the last one is the format's version.
pub(crate) const MAGIC: [u8; 8] = *b"linmem\0\x01";

/// A run recorded in memory.
///
/// ```
/// let trace = linmem::Trace::from_bytes(b"linmem\0\x01\x0b\x00".to_vec());
/// let records: Vec<_> = trace.records().collect::<linmem::Result<_>>()?;
/// assert_eq!(records, [linmem::trace::Record::Exit { code: 0 }]);
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
