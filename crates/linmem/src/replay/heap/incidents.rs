//! What went wrong in a heap, or is worth telling one by one: misuse, failures, growths.

use serde::{Deserialize, Serialize};

use crate::trace::ContextId;

/// How an allocator was misused, or misbehaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MisuseKind {
    /// A block was freed twice.
    DoubleFree,
    /// A pointer was freed that is not a block.
    InvalidFree,
    /// A freed block was reallocated.
    ReallocOfFreed,
    /// A pointer was reallocated that is not a block.
    InvalidRealloc,
    /// A block was freed or reallocated with another size than it has.
    WrongSize,
    /// A block was freed or reallocated with another alignment than it was allocated with.
    WrongAlignment,
    /// The allocator handed out memory that is part of a live block.
    Overlap,
}

/// One way in which the heap was misused, with the number of times it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misuse {
    /// What is wrong.
    pub kind: MisuseKind,
    /// The pointer that was passed, or the new block's address.
    pub pointer: u64,
    /// The size or alignment that was passed, or the new block's size.
    pub passed: u64,
    /// Where.
    pub context: ContextId,
    /// The block that it is about: the one freed before, pointed into, or overlapped.
    pub block: Option<Concerned>,
    /// How often it happened with the same stacks; the rest is about the first time.
    pub times: u64,
}

/// A block that a misuse is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concerned {
    /// Its address.
    pub address: u64,
    /// Its size.
    pub size: u64,
    /// Its alignment, 0 if none was asked for.
    pub align: u64,
    /// Where it was allocated.
    pub allocated: ContextId,
    /// Where it was freed before, if it was.
    pub freed: Option<ContextId>,
}

/// An allocation that returned NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Bytes asked for.
    pub size: u64,
    /// Where.
    pub context: ContextId,
    /// Pages at that time.
    pub pages: u64,
    /// Live bytes at that time.
    pub live_bytes: u64,
    /// Whether `memory.grow` was refused for it.
    pub growth_refused: bool,
    /// How often an allocation failed in this context; the rest is about the first time.
    pub times: u64,
    /// Bytes below the first data segment that changed afterwards, before the next failure.
    pub low_memory: Option<LowMemory>,
}

/// Changed bytes near address 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LowMemory {
    /// First changed address.
    pub first: u64,
    /// Last changed address.
    pub last: u64,
    /// Number of changed bytes.
    pub changed: u64,
}

/// One execution of `memory.grow` that asked for at least one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Pages before.
    pub pages_before: u64,
    /// Pages asked for.
    pub delta_pages: u64,
    /// Whether it was refused.
    pub refused: bool,
    /// What asked for it.
    pub asked_by: AskedBy,
    /// Where.
    pub context: ContextId,
    /// Live bytes at that time.
    pub live_bytes: u64,
    /// Allocations made before.
    pub allocations: u64,
    /// Bytes of the allocation that it was done for.
    pub request: Option<u64>,
}

/// What asks for a growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AskedBy {
    /// An allocator function.
    Allocator,
    /// Other code of the module.
    Program,
    /// The host.
    Host,
}
