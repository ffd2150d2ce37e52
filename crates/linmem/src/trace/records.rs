//! What a trace is made of: the records, as plain data.

use serde::{Deserialize, Serialize};

/// "The caller did not say": the size of a block that is freed by `free(pointer)`.
pub const UNKNOWN_SIZE: u64 = u64::MAX;

/// One record of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A module that instances are made from; modules are numbered from 0.
    Module {
        /// What the user calls it: a file name.
        name: String,
        /// The original file.
        bytes: Vec<u8>,
        /// Which functions were hooked and why: JSON, see `docs/trace-format.md`.
        allocator: String,
    },
    /// As [`Record::Module`], of a module in a file beside the recording. Readers that know how to read such files give a
    /// [`Record::Module`] instead.
    ModuleBeside {
        /// What the user calls it: a file name.
        name: String,
        /// The SHA-256 of the original file, 32 bytes.
        digest: Vec<u8>,
        /// As for [`Record::Module`].
        allocator: String,
    },
    /// The last [`Record::Module`] is the one with this number among those of the process: recordings of its other threads
    /// may call it so.
    ModuleNumber {
        /// The number.
        number: u64,
    },
    /// As [`Record::Module`], of a module that the recording of another thread of the process has.
    ModuleOfProcess {
        /// Its number among those of the process.
        number: u64,
    },
    /// Which thread of which process makes this recording: recordings of one process are one history.
    Thread {
        /// Names the process, and no other one.
        process: String,
        /// The thread's number in it.
        thread: u64,
    },
    /// A memory; memories are numbered from 0.
    Memory {
        /// Pages at the start, or when the recorder came to see it.
        initial_pages: u64,
        /// Pages it may grow to at most, if that is limited.
        max_pages: Option<u64>,
        /// Bytes in a page.
        page_bytes: u64,
        /// Whether threads share it.
        sharing: Sharing,
    },
    /// A new instance; instances are numbered from 0. Records that follow are about it.
    Instance {
        /// Number of its module.
        module: u64,
        /// Number of its memory 0.
        memory: u64,
    },
    /// Records that follow are about this instance.
    Select {
        /// Its number.
        instance: u64,
    },
    /// A distinct call stack inside a module, innermost frame first and up to where the host entered;
    /// contexts are numbered from 0 per trace. No frames: the stack was not taken.
    Context {
        /// The frames.
        frames: Vec<Frame>,
    },
    /// A distinct call stack of the host, innermost frame first; they are numbered from 0 per trace.
    HostStack {
        /// The module that [`Frame::Wasm`] frames are of: the host runs on behalf of it.
        module: Option<u64>,
        /// The frames.
        frames: Vec<Frame>,
    },
    /// The host entered the selected instance. Written only for entries in which something happens, or
    /// that are worth telling by themselves.
    Entered(Entry),
    /// The host is back from what it did on behalf of the entry of this level: what follows in the
    /// selected instance belongs to that entry again.
    Resumed {
        /// The level.
        level: u64,
    },
    /// A call by the host did not return, because of a trap or an exception.
    NotReturned(NotReturned),
    /// The host called an exported function of the selected instance so many times from this place, since its last
    /// such record. Of the calls that were looked at when they began.
    CalledFrom {
        /// Index of the function in the original module.
        function: u32,
        /// What called.
        caller: HostStackId,
        /// How often.
        times: u64,
    },
    /// The next event of a shared memory in this recording has this number among those of all threads;
    /// those after it count on by one.
    Sequence {
        /// The number.
        number: u64,
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
    /// The state of a memory. Its contents follow in `SnapshotBytes`.
    Snapshot {
        /// Number of the memory.
        memory: u64,
        /// Pages now.
        pages: u64,
    },
    /// The globals of the selected instance, at the time of its memory's snapshot.
    Globals {
        /// Whose frames are live, whose locals linmem cannot see.
        live_frames: LiveFrames,
        /// Integer globals that can change: `(index, value)`.
        values: Vec<(u64, u64)>,
    },
    /// A part of the memory that is not all zero.
    SnapshotBytes {
        /// Its address.
        address: u64,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Accesses of the selected instance are checked.
    Checked {
        /// Whether all blocks of the heap are known, so that what no block owns may not be accessed.
        knows_heap: bool,
    },
    /// Accesses of the selected instance are checked, but not those in this function.
    Unchecked {
        /// Its index.
        function: u32,
    },
    /// What instrumented code reported of the selected instance.
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

/// Whose frames are live at the time of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LiveFrames {
    /// Nobody's.
    #[default]
    None = 0,
    /// The instance's own.
    Own = 1,
    /// Perhaps those of another thread that shares the memory.
    OtherThreads = 2,
}

/// Whether threads share a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// One thread uses it.
    #[default]
    Private,
    /// Several can, and the recorder could not find out which memory it is.
    Unknown,
    /// Several can. The recordings of a process mean one memory where they have the same number here.
    Shared(u64),
}

/// The host enters an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Index of the function that it calls.
    pub function: u32,
    /// How many entries of the instance are under way: 0 for an outermost one.
    pub level: u64,
    /// Its callers; `None` if the stack was not taken.
    pub caller: Option<HostStackId>,
    /// The stack pointer, where the module has one.
    pub stack_pointer: Option<u64>,
}

/// A distinct call stack of the host: an index into those of a trace, in the order in which they were
/// first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostStackId(pub u32);

/// What only a host can see: a program around the modules that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRecord {
    /// Where the selected instance was created.
    Created {
        /// The stack.
        stack: HostStackId,
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
        stack: HostStackId,
    },
    /// The program leaves what is at an address to a finalizer, which frees it when the engine has
    /// collected an object.
    Registered {
        /// The number of the memory.
        memory: u64,
        /// The address.
        address: u64,
        /// Where.
        stack: HostStackId,
    },
    /// It does so no longer.
    Unregistered {
        /// The number of the memory.
        memory: u64,
        /// The address.
        address: u64,
    },
    /// A library of the host keeps a block of a memory for its own use, as long as it is there.
    Kept {
        /// The number of the memory.
        memory: u64,
        /// The block's address.
        address: u64,
    },
    /// The program wrote over the state of the allocator in a memory, as one does who puts back a snapshot: what
    /// was allocated before is not there any more.
    Overwritten {
        /// The number of the memory.
        memory: u64,
        /// Where.
        stack: HostStackId,
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
        stack: HostStackId,
    },
    /// The program read or wrote memory that it must not, with functions for strings.
    Accessed {
        /// The memory.
        memory: u64,
        /// The first address.
        address: u64,
        /// How many bytes.
        bytes: u64,
        /// Whether it wrote.
        is_write: bool,
        /// Where.
        stack: HostStackId,
    },
    /// The program used a view that an earlier growth had detached.
    StaleView {
        /// Number of the memory.
        memory: u64,
        /// The memory's size when the view was made.
        pages: u64,
        /// Where it was used.
        stack: HostStackId,
    },
    /// The program took a function out of a table or a global, or put one of its own into a table, that the
    /// selected instance uses: calls of these are not seen.
    TookFunction,
    /// Something that the reader of a report should know, in the recorder's words.
    Note {
        /// The words.
        text: String,
    },
    /// An exception of a module, or one that says that the engine refused something, reached the top of the program,
    /// and nobody caught it.
    Uncaught {
        /// What the engine says of it: the exception's name and message.
        text: String,
    },
    /// The engine refused the program a memory or an instance.
    Refused {
        /// What.
        what: Refused,
        /// Number of the module that was to be instantiated.
        module: Option<u64>,
        /// What the engine says: the exception's name and message.
        text: String,
        /// What was alive then, in this thread.
        alive: Alive,
        /// Where the program asked for it.
        stack: HostStackId,
    },
}

/// What an engine refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A memory that the program makes by itself.
    Memory = 0,
    /// An instance, for want of memory.
    InstanceMemory = 1,
    /// An instance, for another reason: it cannot be linked, or its start function trapped.
    Instance = 2,
}

/// What is alive at a time, as far as the engine has not collected it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alive {
    /// Instances.
    pub instances: u64,
    /// Memories.
    pub memories: u64,
    /// Pages of these memories.
    pub pages: u64,
}

/// A call by the host that did not return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotReturned {
    /// Index of the function in the original module.
    pub function: u32,
    /// What called there, if it was looked at.
    pub caller: Option<HostStackId>,
    /// Bytes of the shadow stack that it left behind.
    pub stack_bytes: u64,
    /// The first of its arguments that can be addresses, 0 where there are fewer.
    pub passed: [u64; 4],
}

/// How an address got to the host, or how it shows that the host has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crossing {
    /// The module passed it to an imported function.
    HandedOut,
    /// The host passed it to an exported function.
    Passed {
        /// Index of the function in the original module.
        function: u32,
        /// Which of its parameters that can be addresses, from 0.
        parameter: u32,
        /// What called there, if it was looked at.
        caller: Option<HostStackId>,
    },
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

impl Frame {
    /// The function in the module, where it is one of the module.
    pub(crate) fn function(&self) -> Option<u32> {
        match self {
            Frame::Wasm { function, .. } => Some(*function),
            Frame::Host(_) => None,
        }
    }
}

/// What instrumented code reported of one instance: each hook's call is one. Sizes are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An allocation; `pointer` is 0 when it failed.
    Allocated {
        /// Address of the block.
        pointer: u64,
        /// Bytes asked for.
        size: u64,
        /// Alignment asked for, 0 if none.
        align: u64,
        /// Where.
        context: ContextId,
    },
    /// A deallocation is about to happen.
    Freed {
        /// The pointer passed.
        pointer: u64,
        /// The size passed, or [`UNKNOWN_SIZE`].
        size: u64,
        /// The alignment passed, 0 if none.
        align: u64,
        /// Where.
        context: ContextId,
    },
    /// A reallocation is about to happen.
    Reallocating {
        /// The pointer passed.
        pointer: u64,
        /// The old size passed, or [`UNKNOWN_SIZE`].
        old_size: u64,
        /// The alignment passed, 0 if none.
        align: u64,
        /// Bytes asked for.
        new_size: u64,
        /// Where.
        context: ContextId,
    },
    /// The reallocation that was about to happen is over; `pointer` is 0 when it failed.
    Reallocated {
        /// Address of the block now.
        pointer: u64,
    },
    /// `memory.grow` was executed.
    Grown {
        /// Pages asked for.
        delta_pages: u64,
        /// Pages before, or `None` when the growth failed.
        previous_pages: Option<u64>,
        /// Whether an allocator function asked.
        in_allocator: bool,
        /// Where.
        context: ContextId,
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
    /// An instruction accessed memory that it must not access.
    BadAccess(BadAccess),
}

/// An access of memory that is not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadAccess {
    /// Offset of the instruction in the original file; of what an imported function does, its index.
    pub instruction: u32,
    /// How it accesses memory.
    pub by: AccessedBy,
    /// The address that it is given, to which its own offset comes; the first one of a range.
    pub address: u64,
    /// Bytes of the range, or 0.
    pub bytes: u64,
    /// Where: the stack after it. Its function is on it, unless a trap has ended that.
    pub context: ContextId,
}

/// How memory is accessed, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessedBy {
    /// As it says itself.
    Instruction = 0,
    /// It reads a range.
    ReadRange = 1,
    /// It writes a range.
    WrittenRange = 2,
    /// An imported function is called, and reads a range.
    ReadByImport = 3,
    /// An imported function is called, and writes a range.
    WrittenByImport = 4,
    /// Something else has written the range before, behind a block.
    Overwritten = 5,
    /// There were so many accesses that others may not have been told.
    Untold = 6,
}

impl AccessedBy {
    /// What a number in a trace, or of a hook, stands for.
    pub(crate) fn of(number: u64) -> Option<AccessedBy> {
        Some(match number {
            0 => AccessedBy::Instruction,
            1 => AccessedBy::ReadRange,
            2 => AccessedBy::WrittenRange,
            3 => AccessedBy::ReadByImport,
            4 => AccessedBy::WrittenByImport,
            5 => AccessedBy::Overwritten,
            6 => AccessedBy::Untold,
            _ => return None,
        })
    }

    /// Whether an instruction of the module accesses memory.
    pub(crate) fn is_instruction(self) -> bool {
        self < AccessedBy::ReadByImport
    }
}

/// A distinct call stack: an index into the contexts of a trace, numbered from 0 in the order in
/// which they were first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContextId(pub u32);

impl Event {
    /// Where it happened; the end of a reallocation happened where its beginning did.
    pub(crate) fn context_mut(&mut self) -> Option<&mut ContextId> {
        match self {
            Event::Allocated { context, .. }
            | Event::Freed { context, .. }
            | Event::Reallocating { context, .. }
            | Event::Grown { context, .. } => Some(context),
            Event::BadAccess(BadAccess { context, .. }) => Some(context),
            Event::Reallocated { .. } | Event::Called { .. } | Event::Crossed { .. } => None,
        }
    }

    /// The block that the allocator gives, if there is one.
    pub(crate) fn given(&self) -> Option<u64> {
        match *self {
            Event::Allocated { pointer, .. } | Event::Reallocated { pointer } => {
                Some(pointer).filter(|pointer| *pointer != 0)
            }
            _ => None,
        }
    }
}
