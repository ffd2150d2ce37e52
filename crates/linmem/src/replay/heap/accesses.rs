//! Accesses that are not right, and the blocks that they missed.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use rustc_hash::FxHashMap;

use super::{Block, Concerned, Heap, concerned};
use crate::trace::ContextId;

/// Freed blocks that are remembered by all of their addresses.
const MAX_FREED: usize = 1 << 17;

/// Errors that are told apart.
const MAX_ERRORS: usize = 10_000;

/// What is near NULL lies below this address.
const LOW_BYTES: u64 = 1_024;

/// Ranges of bytes that are remembered because they were written.
const MAX_WRITTEN: usize = 4_096;

/// How far behind a block, or before one, an access is taken for one that missed it.
const NEAR_BYTES: u64 = 1_024;

/// So near to a block, nothing else comes into question: the redzone, if nobody asks for another.
const BESIDE_BYTES: u64 = 16;

/// What an access was of that was not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccessKind {
    /// Of a freed block, whose memory was not handed out since, or just beside it.
    Freed,
    /// Past the end of a block.
    Behind,
    /// Before the start of a block.
    Before,
    /// Of memory near no block.
    Unallocated,
    /// Of what is past the end of the memory.
    Outside,
    /// Past the end of a block, by something that is not checked.
    Overwritten,
}

/// What accesses memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Accessor {
    /// The instruction at this offset of the original file.
    Instruction(u32),
    /// The imported function of this index.
    Import(u32),
    /// The host.
    Host,
}

/// An access that is not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accessed {
    /// What accesses memory.
    pub by: Accessor,
    /// Whether it writes.
    pub is_write: bool,
    /// Bytes that it reads or writes.
    pub bytes: u64,
    /// The first address.
    pub address: u64,
    /// Where.
    pub context: ContextId,
}

impl Accessed {
    /// The addresses.
    fn range(&self) -> Range<u64> {
        self.address..self.address.saturating_add(self.bytes)
    }
}

/// One way in which memory was accessed that is not right, with the number of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessError {
    /// What it was of, where all blocks are known.
    pub kind: AccessKind,
    /// The instance whose instruction it was.
    pub instance: usize,
    /// The first time.
    pub access: Accessed,
    /// The block that it missed, or that was freed.
    pub block: Option<Concerned>,
    /// How often; the rest is about the first time.
    pub times: u64,
    /// Its number among the errors, in the order in which they came.
    pub nth: usize,
    /// Whether the host had written over the allocator's state before: which blocks there are, the checks do not know then.
    pub is_after_snapshot: bool,
}

/// What is known of accesses where they are checked.
#[derive(Debug, Default)]
pub(super) struct Accesses {
    /// The blocks that were freed, by address, and whose memory was not handed out since.
    freed: BTreeMap<u64, (Block, ContextId)>,
    /// The same in the order in which they were freed, by address and serial.
    order: VecDeque<(u64, u64)>,
    errors: FxHashMap<Key, AccessError>,
    /// What was written by those that are known.
    written: Vec<Range<u64>>,
    /// Whether there were more than are known.
    misses_some: bool,
}

/// What makes two errors the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    kind: AccessKind,
    instance: usize,
    by: Accessor,
    /// From where, if that is not an instruction.
    from: Option<ContextId>,
    is_write: bool,
    is_after_snapshot: bool,
    /// Whether it may be near NULL, which only the module's layout tells.
    is_low: bool,
    /// Where the block was allocated.
    allocated: Option<ContextId>,
}

impl Accesses {
    /// A block was freed.
    pub(super) fn freed(&mut self, address: u64, block: Block, context: ContextId) {
        self.freed.insert(address, (block, context));
        self.order.push_back((address, block.serial));
        while self.order.len() > MAX_FREED
            && let Some((address, serial)) = self.order.pop_front()
        {
            if self.freed.get(&address).is_some_and(|(block, _)| block.serial == serial) {
                self.freed.remove(&address);
            }
        }
    }

    /// Memory was handed out.
    pub(super) fn handed_out(&mut self, address: u64, size: u64) {
        let end = address.saturating_add(size.max(1));
        while let Some((start, _)) = self.freed_within(address, end) {
            self.freed.remove(&start);
        }
    }

    /// Bytes were written that must not be.
    fn written(&mut self, range: Range<u64>) {
        let has_room = self.written.len() < MAX_WRITTEN;
        match self.written.last_mut() {
            Some(last) if last.contains(&range.start) || last.end == range.start => {
                last.end = last.end.max(range.end);
            }
            _ if has_room => self.written.push(range),
            _ => self.misses_some = true,
        }
    }

    /// Whether it is known what has written bytes, or it may be that.
    fn explains(&self, range: &Range<u64>) -> bool {
        let overlaps = |w: &Range<u64>| w.start < range.end && range.start < w.end;
        self.misses_some || self.written.iter().any(overlaps)
    }

    /// The last freed block that has an address from here up to there.
    fn freed_within(&self, address: u64, end: u64) -> Option<(u64, &(Block, ContextId))> {
        let (start, freed) = self.freed.range(..end).next_back()?;
        (start.saturating_add(freed.0.size.max(1)) > address).then_some((*start, freed))
    }

    /// The freed block that these addresses lie just behind, or just in front of.
    fn freed_beside(&self, range: &Range<u64>) -> Option<(u64, &(Block, ContextId))> {
        let before = self.freed.range(..range.start).next_back();
        let behind = before.map(|(start, freed)| {
            (range.start.saturating_sub(start.saturating_add(freed.0.size)), *start, freed)
        });
        let after = self.freed.range(range.end..).next();
        let in_front = after.map(|(start, freed)| (*start - range.end, *start, freed));
        let nearest = behind.into_iter().chain(in_front).min_by_key(|(distance, ..)| *distance);
        nearest
            .filter(|(distance, ..)| *distance < BESIDE_BYTES)
            .map(|(_, start, freed)| (start, freed))
    }
}

impl Heap {
    /// Accesses are checked: freed blocks are remembered by all of their addresses.
    pub fn watch_accesses(&mut self) {
        self.accesses.get_or_insert_default();
    }

    /// The errors, in no order.
    pub fn access_errors(&self) -> impl Iterator<Item = &AccessError> {
        self.accesses.iter().flat_map(|accesses| accesses.errors.values())
    }

    /// A block was freed, here.
    pub(super) fn remember_freed(&mut self, address: u64, block: Block, context: ContextId) {
        if let Some(accesses) = &mut self.accesses {
            accesses.freed(address, block, context);
        }
    }

    /// Takes in an access that is not right.
    pub fn accessed(&mut self, instance: usize, access: Accessed) {
        let (kind, block) = self.what_was_missed(access.address, access.bytes);
        self.add_access_error(kind, instance, access, block);
    }

    /// Whether there may have been accesses that are not known.
    pub fn misses_accesses(&self) -> bool {
        self.accesses.as_ref().is_some_and(|accesses| accesses.misses_some)
    }

    /// There may have been accesses that are not known.
    pub fn missed_accesses(&mut self) {
        self.accesses.get_or_insert_default().misses_some = true;
    }

    /// Takes in that bytes behind a block have changed, unless what is checked has written there.
    pub fn written_behind(&mut self, instance: usize, access: Accessed) {
        let range = access.range();
        if self.accesses.as_ref().is_some_and(|accesses| accesses.explains(&range)) {
            return;
        }
        let end = |address: u64, block: &Block| address.saturating_add(block.size);
        let alive = self.blocks.until(access.address).map(|(start, block)| (start, *block, None));
        // A block is looked at while it is freed.
        let freed = self.accesses.iter().flat_map(|accesses| {
            let until = accesses.freed.range(..=access.address).rev();
            until.map(|(start, (block, context))| (*start, *block, Some(*context)))
        });
        let ends_before =
            |(start, block, _): &(u64, Block, _)| end(*start, block) <= access.address;
        let alive = alive.take(1).filter(ends_before);
        let freed = freed.take(1).filter(ends_before);
        let block = alive.chain(freed).max_by_key(|(start, block, _)| end(*start, block));
        let block = block.map(|(start, block, context)| concerned(start, &block, context));
        self.add_access_error(AccessKind::Overwritten, instance, access, block);
    }

    /// Takes in an access of which it is known what it missed.
    pub fn add_access_error(
        &mut self,
        kind: AccessKind,
        instance: usize,
        access: Accessed,
        block: Option<Concerned>,
    ) {
        let is_after_snapshot = !self.overwritten.is_empty();
        let accesses = self.accesses.get_or_insert_default();
        if access.is_write && kind != AccessKind::Overwritten {
            accesses.written(access.range());
        }
        let allocated = block.map(|block| block.allocated);
        let from = Some(access.context).filter(|_| !matches!(access.by, Accessor::Instruction(_)));
        let key = Key {
            kind,
            instance,
            by: access.by,
            from,
            is_write: access.is_write,
            is_after_snapshot,
            is_low: access.address < LOW_BYTES,
            allocated,
        };
        if accesses.errors.len() < MAX_ERRORS || accesses.errors.contains_key(&key) {
            let nth = accesses.errors.len();
            let first =
                AccessError { kind, instance, access, block, times: 0, nth, is_after_snapshot };
            accesses.errors.entry(key).or_insert(first).times += 1;
        }
    }

    /// What an access was of. Of a block behind which it lies and one before which it does, the nearer one; but of a freed block,
    /// if it lies beside that and beside no other.
    fn what_was_missed(&self, address: u64, bytes: u64) -> (AccessKind, Option<Concerned>) {
        let end = address.saturating_add(bytes.max(1));
        let freed = self.accesses.as_ref().and_then(|accesses| accesses.freed_within(address, end));
        let inside = self.block_around(address);
        if let Some((start, (block, context))) = freed.filter(|_| inside.is_none()) {
            return (AccessKind::Freed, Some(concerned(start, block, Some(*context))));
        }
        let before = self.blocks.until(address).next().map(|(start, block)| (start, *block));
        let behind = inside.or(before).map(|(start, block)| {
            let distance = address.saturating_sub(start.saturating_add(block.size));
            (distance, AccessKind::Behind, concerned(start, &block, None))
        });
        let near = self.blocks.until(address.saturating_add(NEAR_BYTES));
        let next = near.take_while(|(start, _)| *start > address).last();
        let next = next.map(|(start, block)| {
            (start.saturating_sub(end), AccessKind::Before, concerned(start, block, None))
        });
        let nearest = behind.into_iter().chain(next).min_by_key(|(distance, ..)| *distance);
        let is_beside = nearest.is_some_and(|(distance, ..)| distance < BESIDE_BYTES);
        let freed = self.accesses.as_ref().filter(|_| !is_beside);
        if let Some((start, (block, context))) =
            freed.and_then(|accesses| accesses.freed_beside(&(address..end)))
        {
            return (AccessKind::Freed, Some(concerned(start, block, Some(*context))));
        }
        match nearest.filter(|(distance, ..)| *distance < NEAR_BYTES) {
            Some((_, kind, block)) => (kind, Some(block)),
            None => (AccessKind::Unallocated, None),
        }
    }
}
