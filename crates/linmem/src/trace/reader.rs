//! Bytes to records. The bytes are not trusted.

use std::io::Read;

use super::{
    AccessedBy, Alive, BadAccess, ContextId, Crossing, Entry, Event, Frame, HostRecord,
    HostStackId, LiveFrames, MAGIC, ModulesBeside, NotReturned, Record, Refused, Sharing,
    SizeReadBy, UNKNOWN_SIZE, tags,
};
use crate::error::{Error, ErrorKind, Result};

/// Bytes asked of the source at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Reads the records of a trace, from a file, a pipe or memory.
///
/// The iterator ends at the end of the trace, and goes on if the source has more later. A trace that stops in the middle of a record ends
/// there too, and a report then says so. Memory use is bounded by the largest
/// record, and no record is larger than the bytes that are really there.
#[derive(Debug, Default)]
pub struct Reader<R> {
    source: R,
    buffer: Vec<u8>,
    /// Start of what is not yet decoded in `buffer`.
    start: usize,
    /// Bytes of the trace before `buffer`.
    passed: u64,
    last_pointer: u64,
    started: bool,
    truncated: bool,
    failed: bool,
    modules: ModulesBeside,
}

impl<R: Read> Reader<R> {
    /// Reads from `source`; nothing is read before the first record is asked for.
    pub fn new(source: R) -> Reader<R> {
        Reader {
            source,
            buffer: Vec::new(),
            start: 0,
            passed: 0,
            last_pointer: 0,
            started: false,
            truncated: false,
            failed: false,
            modules: ModulesBeside::default(),
        }
    }

    /// Reads modules that stand beside the trace.
    pub(crate) fn with_modules(self, modules: ModulesBeside) -> Reader<R> {
        Reader { modules, ..self }
    }

    /// Where the bytes come from.
    pub(crate) fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// Whether the trace stopped in the middle of a record.
    pub(crate) fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The next record, if it is an event that has arrived as a whole, as most are. An event is much smaller
    /// than other records, and moving it is a good part of what reading costs: so it is inlined.
    #[inline(always)]
    pub(crate) fn event_at_hand(&mut self) -> Option<Event> {
        if !self.started {
            return None;
        }
        let bytes = &self.buffer[self.start..];
        let mut cursor = Cursor { bytes, at: 1, last_pointer: self.last_pointer };
        let event = cursor.event(*bytes.first()?).ok()??;
        self.start += cursor.at;
        self.last_pointer = cursor.last_pointer;
        Some(event)
    }

    fn next_record(&mut self) -> Result<Option<Record>> {
        if !self.started {
            self.read_magic()?;
        }
        if let Some(event) = self.event_at_hand() {
            return Ok(Some(Record::Event(event)));
        }
        loop {
            let mut cursor = Cursor {
                bytes: &self.buffer[self.start..],
                at: 0,
                last_pointer: self.last_pointer,
            };
            match cursor.record() {
                Ok(record) => {
                    self.start += cursor.at;
                    self.last_pointer = cursor.last_pointer;
                    return self.modules.resolved(record).map(Some);
                }
                Err(Stop::Malformed(reason)) => return Err(self.malformed(cursor.at, &reason)),
                Err(Stop::MoreNeeded) => {
                    if !self.refill()? {
                        self.truncated = self.start < self.buffer.len();
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn read_magic(&mut self) -> Result<()> {
        while self.buffer.len() < MAGIC.len() && self.refill()? {}
        let [name @ .., version] = MAGIC;
        let Some(found) = self.buffer.get(..MAGIC.len()) else {
            return Err(invalid("not a linmem trace: it is shorter than a trace's header"));
        };
        if !found.starts_with(&name) {
            return Err(invalid("not a linmem trace: it does not start with `linmem`"));
        }
        if found[name.len()] != version {
            return Err(invalid(format!(
                "the trace has format version {}; this linmem reads version {version}",
                found[name.len()]
            )));
        }
        self.start = MAGIC.len();
        self.started = true;
        Ok(())
    }

    /// Gets more bytes behind those that are not yet decoded; whether there were any.
    fn refill(&mut self) -> Result<bool> {
        self.passed += self.start as u64;
        self.buffer.drain(..self.start);
        self.start = 0;
        // Large records need fewer, larger reads, but never more than twice what is there.
        let ask = CHUNK_BYTES.max(self.buffer.len()) as u64;
        let got = (&mut self.source).take(ask).read_to_end(&mut self.buffer)?;
        Ok(got > 0)
    }

    fn malformed(&self, at: usize, reason: &str) -> Error {
        let offset = self.passed + (self.start + at) as u64;
        invalid(format!("damaged trace at byte {offset}: {reason}"))
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Result<Record>> {
        if self.failed {
            return None;
        }
        let record = self.next_record();
        self.failed = record.is_err();
        record.transpose()
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidTrace, message)
}

/// Why a record could not be decoded.
enum Stop {
    /// The bytes end inside the record.
    MoreNeeded,
    Malformed(String),
}

type Decoded<T> = std::result::Result<T, Stop>;

struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
    last_pointer: u64,
}

impl Cursor<'_> {
    fn record(&mut self) -> Decoded<Record> {
        Ok(match self.byte()? {
            tags::MODULE => Record::Module {
                name: self.text()?,
                bytes: self.byte_string()?,
                allocator: self.text()?,
            },
            tags::MODULE_BESIDE => Record::ModuleBeside {
                name: self.text()?,
                digest: self.byte_string()?,
                allocator: self.text()?,
            },
            tags::MODULE_NUMBER => Record::ModuleNumber { number: self.number()? },
            tags::MODULE_OF_PROCESS => Record::ModuleOfProcess { number: self.number()? },
            tags::THREAD => Record::Thread { process: self.text()?, thread: self.number()? },
            tags::MEMORY => Record::Memory {
                initial_pages: self.number()?,
                max_pages: self.optional()?,
                page_bytes: self.number()?,
                sharing: match self.number()? {
                    0 => Sharing::Private,
                    1 => Sharing::Unknown,
                    number => Sharing::Shared(number - 2),
                },
            },
            tags::INSTANCE => Record::Instance { module: self.number()?, memory: self.number()? },
            tags::SELECT => Record::Select { instance: self.number()? },
            tags::CONTEXT => Record::Context { frames: self.frames()? },
            tags::HOST_STACK => {
                Record::HostStack { module: self.optional()?, frames: self.frames()? }
            }
            tags::ENTERED => Record::Entered(self.entry()?),
            tags::RESUMED => Record::Resumed { level: self.number()? },
            tags::NOT_RETURNED => Record::NotReturned(NotReturned {
                function: self.function()?,
                caller: self.caller()?,
                stack_bytes: self.number()?,
                passed: [self.number()?, self.number()?, self.number()?, self.number()?],
            }),
            tags::CALLED_FROM => Record::CalledFrom {
                function: self.function()?,
                caller: self.host_stack()?,
                times: self.number()?,
            },
            tags::SEQUENCE => Record::Sequence { number: self.number()? },
            tags::CLOCK => Record::Clock { micros: self.number()? },
            tags::LOW_MEMORY => Record::LowMemory {
                first: self.number()?,
                last: self.number()?,
                changed: self.number()?,
            },
            tags::CHECKED => Record::Checked { knows_heap: self.number()? != 0 },
            tags::UNCHECKED => Record::Unchecked { function: self.function()? },
            tags::SNAPSHOT => Record::Snapshot { memory: self.number()?, pages: self.number()? },
            tags::GLOBALS => Record::Globals {
                live_frames: match self.number()? {
                    0 => LiveFrames::None,
                    1 => LiveFrames::Own,
                    2 => LiveFrames::OtherThreads,
                    _ => return Err(malformed("unknown frames are live")),
                },
                values: self.list(|cursor| Ok((cursor.number()?, cursor.number()?)))?,
            },
            tags::SNAPSHOT_BYTES => {
                Record::SnapshotBytes { address: self.number()?, bytes: self.byte_string()? }
            }
            tags::EXIT => {
                let code = unzigzag(self.number()?);
                let code = i32::try_from(code).map_err(|_| malformed("exit code out of range"))?;
                Record::Exit { code }
            }
            tags::TRAP => Record::Trap { message: self.text()?, frames: self.frames()? },
            tag => {
                if let Some(event) = self.event(tag)? {
                    return Ok(Record::Event(event));
                }
                let record = self.host_record(tag)?.map(Record::Host);
                record.ok_or_else(|| malformed(format!("unknown record tag {tag:#04x}")))?
            }
        })
    }

    /// What a host did, or `None` where the tag is that of something else.
    fn host_record(&mut self, tag: u8) -> Decoded<Option<HostRecord>> {
        Ok(Some(match tag {
            tags::CREATED => HostRecord::Created { stack: self.host_stack()? },
            tags::COLLECTED => HostRecord::Collected,
            tags::SIZE_READ => HostRecord::SizeRead {
                memory: self.number()?,
                by: match self.number()? {
                    0 => SizeReadBy::HostView,
                    1 => SizeReadBy::GrowZero,
                    2 => SizeReadBy::Instruction,
                    _ => return Err(malformed("unknown way to read a size")),
                },
                pages: self.number()?,
                stack: self.host_stack()?,
            },
            tags::REGISTERED => HostRecord::Registered {
                memory: self.number()?,
                address: self.number()?,
                stack: self.host_stack()?,
            },
            tags::UNREGISTERED => {
                HostRecord::Unregistered { memory: self.number()?, address: self.number()? }
            }
            tags::KEPT => HostRecord::Kept { memory: self.number()?, address: self.number()? },
            tags::OVERWRITTEN => {
                HostRecord::Overwritten { memory: self.number()?, stack: self.host_stack()? }
            }
            tags::HOST_GROWN => HostRecord::HostGrown {
                memory: self.number()?,
                delta_pages: self.number()?,
                previous_pages: self.optional()?,
                stack: self.host_stack()?,
            },
            tags::STALE_VIEW => HostRecord::StaleView {
                memory: self.number()?,
                pages: self.number()?,
                stack: self.host_stack()?,
            },
            tags::ACCESSED => HostRecord::Accessed {
                memory: self.number()?,
                address: self.pointer()?,
                bytes: self.number()?,
                is_write: self.number()? != 0,
                stack: self.host_stack()?,
            },
            tags::NOTE => HostRecord::Note { text: self.text()? },
            tags::UNCAUGHT => HostRecord::Uncaught { text: self.text()? },
            tags::REFUSED => HostRecord::Refused {
                what: match self.number()? {
                    0 => Refused::Memory,
                    1 => Refused::InstanceMemory,
                    2 => Refused::Instance,
                    _ => return Err(malformed("unknown thing that was refused")),
                },
                module: self.optional()?,
                text: self.text()?,
                alive: Alive {
                    instances: self.number()?,
                    memories: self.number()?,
                    pages: self.number()?,
                },
                stack: self.host_stack()?,
            },
            tags::TOOK_FUNCTION => HostRecord::TookFunction,
            _ => return Ok(None),
        }))
    }

    fn entry(&mut self) -> Decoded<Entry> {
        Ok(Entry {
            function: self.function()?,
            level: self.number()?,
            caller: self.caller()?,
            stack_pointer: self.optional()?,
        })
    }

    fn caller(&mut self) -> Decoded<Option<HostStackId>> {
        self.number()?.checked_sub(1).map(host_stack).transpose()
    }

    fn host_stack(&mut self) -> Decoded<HostStackId> {
        host_stack(self.number()?)
    }

    /// What instrumented code reported, or `None` where the tag is that of something else.
    #[inline(always)]
    fn event(&mut self, tag: u8) -> Decoded<Option<Event>> {
        Ok(Some(match tag {
            tags::ALLOCATED | tags::ALLOCATED_ALIGNED => Event::Allocated {
                context: self.context()?,
                pointer: self.pointer()?,
                size: self.number()?,
                align: if tag == tags::ALLOCATED { 0 } else { self.number()? },
            },
            tags::FREED | tags::FREED_SIZED => Event::Freed {
                context: self.context()?,
                pointer: self.pointer()?,
                size: if tag == tags::FREED { UNKNOWN_SIZE } else { self.number()? },
                align: if tag == tags::FREED { 0 } else { self.number()? },
            },
            tags::REALLOCATING | tags::REALLOCATING_SIZED => Event::Reallocating {
                context: self.context()?,
                pointer: self.pointer()?,
                old_size: if tag == tags::REALLOCATING { UNKNOWN_SIZE } else { self.number()? },
                align: if tag == tags::REALLOCATING { 0 } else { self.number()? },
                new_size: self.number()?,
            },
            tags::REALLOCATED => Event::Reallocated { pointer: self.pointer()? },
            tags::GROWN | tags::GROW_FAILED => Event::Grown {
                context: self.context()?,
                in_allocator: self.number()? != 0,
                delta_pages: self.number()?,
                previous_pages: if tag == tags::GROWN { Some(self.number()?) } else { None },
            },
            tags::BAD_ACCESS => Event::BadAccess(BadAccess {
                context: self.context()?,
                instruction: self.function()?,
                by: AccessedBy::of(self.number()?)
                    .ok_or_else(|| malformed("an access is made by nothing that is known"))?,
                address: self.pointer()?,
                bytes: self.number()?,
            }),
            tags::CALLED => Event::Called { function: self.function()?, times: self.number()? },
            tags::RETURNED => {
                let crossing = Crossing::Returned(self.function()?);
                Event::Crossed { crossing, pointer: self.pointer()? }
            }
            tags::PASSED => Event::Crossed {
                crossing: Crossing::Passed {
                    function: self.function()?,
                    parameter: self.function()?,
                    caller: self.caller()?,
                },
                pointer: self.pointer()?,
            },
            tags::HANDED_OUT => {
                Event::Crossed { crossing: Crossing::HandedOut, pointer: self.pointer()? }
            }
            _ => return Ok(None),
        }))
    }

    #[inline]
    fn byte(&mut self) -> Decoded<u8> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::MoreNeeded)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn number(&mut self) -> Decoded<u64> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.longer_number(),
        }
    }

    #[inline]
    fn longer_number(&mut self) -> Decoded<u64> {
        if let Some(bytes) = self.bytes[self.at..].first_chunk()
            && let Some((value, length)) = number_in(u64::from_le_bytes(*bytes))
        {
            self.at += length;
            return Ok(value);
        }
        self.longest_number()
    }

    #[cold]
    fn longest_number(&mut self) -> Decoded<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(malformed("a number is larger than 64 bits"))
    }

    fn optional(&mut self) -> Decoded<Option<u64>> {
        Ok(if self.number()? == 0 { None } else { Some(self.number()?) })
    }

    #[inline]
    fn context(&mut self) -> Decoded<ContextId> {
        let id = u32::try_from(self.number()?);
        id.map(ContextId).map_err(|_| malformed("context number out of range"))
    }

    fn function(&mut self) -> Decoded<u32> {
        u32::try_from(self.number()?).map_err(|_| malformed("function index out of range"))
    }

    #[inline]
    fn pointer(&mut self) -> Decoded<u64> {
        let distance = unzigzag(self.number()?);
        self.last_pointer = self.last_pointer.wrapping_add(distance as u64);
        Ok(self.last_pointer)
    }

    fn byte_string(&mut self) -> Decoded<Vec<u8>> {
        let len = self.number()?;
        let rest = &self.bytes[self.at..];
        let bytes = usize::try_from(len).ok().and_then(|len| rest.get(..len));
        let bytes = bytes.ok_or(Stop::MoreNeeded)?.to_vec();
        self.at += bytes.len();
        Ok(bytes)
    }

    fn text(&mut self) -> Decoded<String> {
        Ok(String::from_utf8_lossy(&self.byte_string()?).into_owned())
    }

    fn list<T>(&mut self, element: impl Fn(&mut Self) -> Decoded<T>) -> Decoded<Vec<T>> {
        // The count is not trusted with an allocation: every element takes at least a byte.
        let count = self.number()?;
        if count > (self.bytes.len() - self.at) as u64 {
            return Err(Stop::MoreNeeded);
        }
        (0..count).map(|_| element(self)).collect()
    }

    fn frames(&mut self) -> Decoded<Vec<Frame>> {
        self.list(|cursor| {
            let function = cursor.number()?;
            if function == 0 {
                return Ok(Frame::Host(cursor.text()?));
            }
            let narrow = |n: u64| u32::try_from(n).map_err(|_| malformed("frame out of range"));
            let offset = cursor.number()?.checked_sub(1).map(narrow).transpose()?;
            Ok(Frame::Wasm { function: narrow(function - 1)?, offset })
        })
    }
}

fn host_stack(number: u64) -> Decoded<HostStackId> {
    let id = u32::try_from(number).map(HostStackId);
    id.map_err(|_| malformed("stack number out of range"))
}

fn malformed(reason: impl Into<String>) -> Stop {
    Stop::Malformed(reason.into())
}

/// The number that the first bytes of a word make, and how many bytes they are; `None` if it goes
/// on behind them. Which byte is the last is found without a branch, which no processor could predict.
#[inline]
fn number_in(word: u64) -> Option<(u64, usize)> {
    let ends = !word & 0x8080_8080_8080_8080;
    let last = std::num::NonZeroU64::new(ends)?.trailing_zeros();
    let bits = word & (ends ^ (ends - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
    let bits = (bits & 0x007f_007f_007f_007f) | (bits & 0x7f00_7f00_7f00_7f00) >> 1;
    let bits = (bits & 0x0000_3fff_0000_3fff) | (bits & 0x3fff_0000_3fff_0000) >> 2;
    let bits = (bits & 0x0000_0000_0fff_ffff) | (bits & 0x0fff_ffff_0000_0000) >> 4;
    Some((bits, last as usize / 8 + 1))
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What begins a recording and tells of entries, with the smallest and the largest numbers.
    fn structure() -> Vec<Record> {
        let memory = |max_pages, sharing| Record::Memory {
            initial_pages: 1,
            max_pages,
            page_bytes: 65_536,
            sharing,
        };
        let host = Frame::Host("main (app.mjs:1)".to_owned());
        let frames =
            [None, Some(0), Some(u32::MAX - 1)].map(|offset| Frame::Wasm { function: 7, offset });
        let entry = |level, caller, stack_pointer| {
            Record::Entered(Entry { function: 3, level, caller, stack_pointer })
        };
        vec![
            Record::Thread { process: "4711".to_owned(), thread: 2 },
            Record::Module { name: "a".to_owned(), bytes: vec![0, 1], allocator: String::new() },
            Record::ModuleBeside {
                name: "b".to_owned(),
                digest: vec![0xab; 32],
                allocator: "{}".to_owned(),
            },
            Record::ModuleNumber { number: 31 },
            Record::ModuleOfProcess { number: u64::MAX },
            memory(None, Sharing::Private),
            memory(Some(0), Sharing::Unknown),
            memory(Some(u64::MAX), Sharing::Shared(0)),
            memory(None, Sharing::Shared(u64::MAX - 2)),
            Record::Instance { module: 0, memory: 3 },
            Record::Select { instance: 0 },
            Record::Context { frames: frames.to_vec() },
            Record::HostStack { module: None, frames: vec![host.clone()] },
            Record::HostStack { module: Some(0), frames: vec![host, frames[0].clone()] },
            entry(0, None, None),
            entry(1, Some(HostStackId(0)), Some(0)),
            entry(u64::MAX, Some(HostStackId(u32::MAX)), Some(u64::MAX)),
            Record::Resumed { level: 1 },
            Record::NotReturned(NotReturned {
                function: u32::MAX,
                caller: Some(HostStackId(u32::MAX)),
                stack_bytes: u64::MAX,
                passed: [0, 1, 127, u64::MAX],
            }),
            Record::CalledFrom { function: 3, caller: HostStackId(1), times: u64::MAX },
            Record::Sequence { number: u64::MAX },
        ]
    }

    /// What is recorded of a host and of the end.
    fn ending() -> Vec<Record> {
        let stack = HostStackId(1);
        let grown = |previous_pages| HostRecord::HostGrown {
            memory: 3,
            delta_pages: 1,
            previous_pages,
            stack,
        };
        let refused = |what, module| HostRecord::Refused {
            what,
            module,
            text: "RangeError: no".to_owned(),
            alive: Alive { instances: 200, memories: 300, pages: 1 << 40 },
            stack,
        };
        let by = SizeReadBy::Instruction;
        let of_host = [
            HostRecord::Created { stack },
            HostRecord::SizeRead { memory: 3, by, pages: 2, stack },
            grown(None),
            grown(Some(0)),
            HostRecord::StaleView { memory: 3, pages: 2, stack },
            HostRecord::Accessed { memory: 3, address: 0x2000, bytes: 5, is_write: true, stack },
            HostRecord::TookFunction,
            HostRecord::Collected,
            HostRecord::Note { text: "note".to_owned() },
            HostRecord::Uncaught { text: "Error: it".to_owned() },
            refused(Refused::Memory, None),
            refused(Refused::InstanceMemory, Some(2)),
            refused(Refused::Instance, Some(0)),
        ];
        let mut records: Vec<Record> = of_host.into_iter().map(Record::Host).collect();
        records.extend([
            Record::LowMemory { first: 0, last: 8, changed: 2 },
            Record::Snapshot { memory: 3, pages: 2 },
            Record::SnapshotBytes { address: 4096, bytes: vec![1, 2, 3] },
            Record::Globals { live_frames: LiveFrames::Own, values: vec![(0, u64::MAX), (2, 0)] },
            Record::Exit { code: -7 },
            Record::Trap { message: "unreachable".to_owned(), frames: Vec::new() },
            Record::Clock { micros: 1_000 },
        ]);
        records
    }

    #[test]
    fn what_is_written_is_read() {
        let records = [structure(), ending()].concat();
        let mut writer = super::super::Writer::new(Vec::new());
        records.iter().for_each(|record| writer.record(record));
        let bytes = writer.finish().unwrap();
        let read: Vec<Record> = Reader::new(&bytes[..]).map(Result::unwrap).collect();
        assert_eq!(read, records);
        // Whatever is cut off, what is left of it can be read.
        for end in MAGIC.len()..bytes.len() {
            let mut reader = Reader::new(&bytes[..end]);
            let whole: Vec<Record> = reader.by_ref().map(Result::unwrap).collect();
            assert_eq!(whole[..], records[..whole.len()]);
        }
    }

    /// A tag that the writer has is one that the reader has.
    #[test]
    fn every_tag_is_read() {
        for (name, tag) in tags::ALL {
            let zeros = [&MAGIC[..], &[*tag], &[0; 16]].concat();
            let first = Reader::new(&zeros[..]).next();
            assert!(matches!(first, Some(Ok(_))), "{name}: {first:?}");
        }
        let unknown = [&MAGIC[..], &[0xff]].concat();
        let error = Reader::new(&unknown[..]).next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "damaged trace at byte 9: unknown record tag 0xff");
    }

    /// At the end of the bytes and before others, as short as can be and with zeros behind.
    #[test]
    fn numbers_of_every_length_are_read() {
        for value in (0..64).flat_map(|bit| [1 << bit, u64::MAX >> bit, 0x5555 << bit]) {
            let shortest = (64 - u64::leading_zeros(value | 1)).div_ceil(7);
            for length in shortest..=10 {
                let byte = |n: u32| (value >> (7 * n)) as u8 & 0x7f | u8::from(n + 1 < length) << 7;
                let bytes: Vec<u8> = (0..length).map(byte).collect();
                for behind in [&[][..], &[0xff; 10], &[0; 10]] {
                    let bytes = [&bytes[..], behind].concat();
                    let mut cursor = Cursor { bytes: &bytes, at: 0, last_pointer: 0 };
                    let read = cursor.number().ok();
                    assert_eq!((read, cursor.at), (Some(value), length as usize));
                }
            }
        }
    }
}
