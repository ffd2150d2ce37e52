//! The live blocks of one instance: a state machine fed by events.
//!
//! All figures have defined instants. *In all* counts from the start to now. *At peak* is the
//! first instant at which the live bytes were at their highest. *At end* is the last event.
//! Lifetimes are counted in allocations made meanwhile, which does not depend on the machine.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::event::{ContextId, Event, UNKNOWN_SIZE};
use crate::trace::Crossing;

/// One live allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Bytes asked for.
    pub size: u64,
    /// Alignment asked for, 0 if none.
    pub align: u64,
    /// Where it was allocated or last reallocated.
    pub context: ContextId,
    /// How many allocations there had been, this one included.
    pub serial: u64,
    /// The best evidence that the host has its address.
    pub crossed: Option<Crossing>,
}

/// Blocks and bytes at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Number of live blocks.
    pub blocks: u64,
    /// Sum of their sizes.
    pub bytes: u64,
    /// Size of the memory.
    pub pages: u64,
}

/// What an instance's heap did in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Successful allocations, reallocations of NULL included.
    pub allocations: u64,
    /// Successful reallocations of a block.
    pub reallocations: u64,
    /// Blocks freed, by reallocation to size 0 too.
    pub frees: u64,
    /// Allocations and reallocations of at least one byte that returned NULL.
    pub failed: u64,
    /// Bytes asked for by all successful allocations and reallocations.
    pub allocated_bytes: u64,
    /// Blocks freed before any other allocation was made.
    pub temporary: u64,
    /// Allocations at an address where a block had been before.
    pub reused: u64,
    /// When the live bytes were at their highest.
    pub at_peak: Extent,
    /// At the last event.
    pub at_end: Extent,
}

impl Totals {
    /// The figures of two heaps together. What was live at peak is that of the one with the higher
    /// peak, since they had theirs at different times.
    #[must_use]
    pub fn and(mut self, other: Totals) -> Totals {
        self.allocations += other.allocations;
        self.reallocations += other.reallocations;
        self.frees += other.frees;
        self.failed += other.failed;
        self.allocated_bytes = self.allocated_bytes.saturating_add(other.allocated_bytes);
        self.temporary += other.temporary;
        self.reused += other.reused;
        self.at_end.blocks += other.at_end.blocks;
        self.at_end.bytes = self.at_end.bytes.saturating_add(other.at_end.bytes);
        self.at_end.pages = self.at_end.pages.saturating_add(other.at_end.pages);
        if other.at_peak.bytes >= self.at_peak.bytes {
            self.at_peak = other.at_peak;
        }
        self
    }
}

/// What one context's allocations did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SiteTotals {
    /// Successful allocations and reallocations.
    pub allocations: u64,
    /// Bytes they asked for.
    pub bytes: u64,
    /// Blocks freed before any other allocation was made.
    pub temporary: u64,
    /// Blocks alive now.
    pub live: Held,
    /// Blocks alive at the peak of the whole heap.
    at_peak: Held,
    /// The peak that `at_peak` is about.
    peak: u64,
    /// Sum of the lifetimes of the blocks that are gone, in allocations.
    pub lifetime: u64,
}

/// Blocks and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Number of blocks.
    pub blocks: u64,
    /// Sum of their sizes.
    pub bytes: u64,
}

impl std::ops::AddAssign for Held {
    fn add_assign(&mut self, other: Held) {
        self.blocks = self.blocks.saturating_add(other.blocks);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// What became of the blocks that an exported function returned to the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Returned {
    /// Blocks that it returned.
    pub blocks: u64,
    /// How many of them were freed, or moved elsewhere by a reallocation.
    pub freed: u64,
}

/// How an allocator was misused, or misbehaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MisuseKind {
    /// A block was freed twice.
    DoubleFree,
    /// What was freed is no block.
    InvalidFree,
    /// A freed block was reallocated.
    ReallocOfFreed,
    /// What was reallocated is no block.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Whether an allocator function asked.
    pub in_allocator: bool,
    /// Where.
    pub context: ContextId,
    /// Live bytes at that time.
    pub live_bytes: u64,
    /// Allocations made before.
    pub allocations: u64,
    /// Bytes of the allocation that it was done for.
    pub request: Option<u64>,
}

/// Growths and kinds of failure that are kept one by one.
const MAX_KEPT: usize = 70_000;

/// Kinds of misuse that are kept, each with up to three stacks.
const MAX_MISUSE: usize = 1_000;

/// The heap of one instance.
#[derive(Debug, Default)]
pub struct Heap {
    live: BTreeMap<u64, Block>,
    freed: FreedBlocks,
    totals: Totals,
    sites: FxHashMap<ContextId, SiteTotals>,
    /// Number of the current peak.
    peak: u64,
    misuse: FxHashMap<(MisuseKind, ContextId, Option<ContextId>, Option<ContextId>), Misuse>,
    failures: Vec<Failure>,
    failure_of_context: FxHashMap<ContextId, usize>,
    growths: Vec<Growth>,
    /// How many of these happened before the allocation under way.
    explained: usize,
    /// The reallocation under way.
    pending: Option<Pending>,
    /// Whether the allocator was refused a growth, within the allocation under way.
    growth_refused: bool,
    /// Whether any blocks ever overlapped.
    overlapping: bool,
    last_failure: Option<usize>,
    lowest_address: Option<u64>,
    own_growth: Vec<(u64, u64)>,
    returned: FxHashMap<u32, Returned>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    pointer: u64,
    align: u64,
    new_size: u64,
    context: ContextId,
}

impl Heap {
    /// A heap in a memory of so many pages.
    pub fn new(initial_pages: u64) -> Heap {
        let mut heap = Heap::default();
        heap.totals.at_end.pages = initial_pages;
        heap.totals.at_peak.pages = initial_pages;
        heap
    }

    /// Takes in one event.
    pub fn apply(&mut self, event: &Event) {
        match *event {
            Event::Allocated { pointer, size, align, context } => {
                self.allocated(pointer, size, align, context);
            }
            Event::Freed { pointer, size, align, context } => {
                self.freed(pointer, size, align, context);
            }
            Event::Reallocating { pointer, old_size, align, new_size, context } => {
                self.check_reallocation(pointer, old_size, align, context);
                self.pending = Some(Pending { pointer, align, new_size, context });
            }
            Event::Reallocated { pointer } => {
                if let Some(pending) = self.pending.take() {
                    self.reallocated(pointer, pending);
                }
            }
            Event::Grown { delta_pages, previous_pages, in_allocator, context } => {
                self.grown(delta_pages, previous_pages, in_allocator, context);
            }
        }
    }

    /// Takes in that the host grew the memory to so many pages.
    pub fn grown_from_outside(&mut self, pages: u64) {
        self.totals.at_end.pages = self.totals.at_end.pages.max(pages);
    }

    /// Takes in that memory near address 0 was written.
    pub fn low_memory_changed(&mut self, change: LowMemory) {
        if let Some(failure) = self.last_failure {
            self.failures[failure].low_memory.get_or_insert(change);
        }
    }

    /// Takes in that this value came to the host, or from it. An address in the middle of a block will
    /// do: allocators on top of others put a header in front of what they hand out.
    pub fn crossed(&mut self, value: u64, crossing: Crossing) {
        let Some((address, _)) = self.block_around(value) else { return };
        let Some(block) = self.live.get_mut(&address) else { return };
        if let Some(Crossing::Returned(_)) = block.crossed {
            return;
        }
        block.crossed = block.crossed.max(Some(crossing));
        if let Crossing::Returned(function) = crossing {
            self.returned.entry(function).or_default().blocks += 1;
        }
    }

    /// What became of the blocks that an exported function returned to the host first.
    pub fn returned(&self, function: u32) -> Returned {
        self.returned.get(&function).copied().unwrap_or_default()
    }

    /// The live blocks by address.
    pub fn live(&self) -> &BTreeMap<u64, Block> {
        &self.live
    }

    /// The figures of the whole heap.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The figures of each context that allocated, in their order.
    pub fn sites(&self) -> impl Iterator<Item = (ContextId, SiteTotals)> + '_ {
        let mut sites: Vec<_> =
            self.sites.iter().map(|(context, site)| (*context, *site)).collect();
        sites.sort_unstable_by_key(|(context, _)| *context);
        sites.into_iter()
    }

    /// What a context's blocks were at the peak of the whole heap.
    pub fn at_peak(&self, site: &SiteTotals) -> Held {
        if site.peak == self.peak { site.at_peak } else { site.live }
    }

    /// Every kind of misuse, in no order.
    pub fn misuse(&self) -> impl Iterator<Item = &Misuse> + '_ {
        self.misuse.values()
    }

    /// Failed allocations, one for each context, in the order of their first time.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Every growth, in order.
    pub fn growths(&self) -> &[Growth] {
        &self.growths
    }

    /// The lowest address that was ever a block's.
    pub fn lowest_address(&self) -> Option<u64> {
        self.lowest_address
    }

    /// Address ranges that the program got from `memory.grow` past its allocator.
    pub fn own_growth(&self) -> &[(u64, u64)] {
        &self.own_growth
    }

    fn allocated(&mut self, pointer: u64, size: u64, align: u64, context: ContextId) {
        let growth_refused = self.explain_growth(size);
        if pointer == 0 {
            self.failed(size, context, growth_refused);
            return;
        }
        self.totals.allocations += 1;
        self.insert(pointer, size, align, context);
    }

    /// A new block, of an allocation or a reallocation.
    fn insert(&mut self, pointer: u64, size: u64, align: u64, context: ContextId) {
        self.check_overlap(pointer, size, context);
        self.totals.allocated_bytes = self.totals.allocated_bytes.saturating_add(size);
        self.totals.reused += u64::from(self.freed.remove(pointer));
        self.lowest_address = Some(self.lowest_address.map_or(pointer, |a| a.min(pointer)));
        let serial = self.totals.allocations + self.totals.reallocations;
        let block = Block { size, align, context, serial, crossed: None };
        if let Some(overlapped) = self.live.insert(pointer, block) {
            self.account_loss(&overlapped);
        }
        let end = &mut self.totals.at_end;
        end.blocks += 1;
        end.bytes = end.bytes.saturating_add(size);
        let site = self.changing_site(context);
        site.allocations += 1;
        site.bytes = site.bytes.saturating_add(size);
        site.live.blocks += 1;
        site.live.bytes = site.live.bytes.saturating_add(size);
        if self.totals.at_end.bytes > self.totals.at_peak.bytes {
            self.totals.at_peak = self.totals.at_end;
            self.peak += 1;
        }
    }

    /// A site whose live blocks are about to change. Its share of the last peak is settled first.
    fn changing_site(&mut self, context: ContextId) -> &mut SiteTotals {
        let site = self.sites.entry(context).or_default();
        if site.peak != self.peak {
            site.at_peak = site.live;
            site.peak = self.peak;
        }
        site
    }

    fn account_loss(&mut self, block: &Block) {
        let end = &mut self.totals.at_end;
        end.blocks -= 1;
        end.bytes = end.bytes.saturating_sub(block.size);
        let now = self.totals.allocations + self.totals.reallocations;
        let site = self.changing_site(block.context);
        site.live.blocks -= 1;
        site.live.bytes = site.live.bytes.saturating_sub(block.size);
        site.lifetime += now - block.serial;
    }

    fn freed(&mut self, pointer: u64, size: u64, align: u64, context: ContextId) {
        if pointer == 0 {
            return;
        }
        let Some(block) = self.live.remove(&pointer) else {
            self.not_a_block(pointer, context, MisuseKind::DoubleFree, MisuseKind::InvalidFree);
            return;
        };
        self.check_layout(pointer, &block, size, align, context);
        self.totals.frees += 1;
        self.given_back(&block);
        if block.serial == self.totals.allocations + self.totals.reallocations {
            self.totals.temporary += 1;
            self.changing_site(block.context).temporary += 1;
        }
        self.account_loss(&block);
        self.freed.add(pointer, block, context);
    }

    /// A block is no longer where the host may know it.
    fn given_back(&mut self, block: &Block) {
        if let Some(Crossing::Returned(function)) = block.crossed {
            self.returned.entry(function).or_default().freed += 1;
        }
    }

    fn check_reallocation(&mut self, pointer: u64, old_size: u64, align: u64, context: ContextId) {
        if pointer == 0 {
            return;
        }
        match self.live.get(&pointer).copied() {
            Some(block) => self.check_layout(pointer, &block, old_size, align, context),
            None => self.not_a_block(
                pointer,
                context,
                MisuseKind::ReallocOfFreed,
                MisuseKind::InvalidRealloc,
            ),
        }
    }

    fn reallocated(&mut self, pointer: u64, pending: Pending) {
        let Pending { pointer: old, align, new_size, context } = pending;
        let growth_refused = self.explain_growth(new_size);
        if pointer == 0 && new_size == 0 && old != 0 {
            // What is no block was reported when the reallocation began.
            if self.live.contains_key(&old) {
                self.freed(old, UNKNOWN_SIZE, 0, context);
            }
            return;
        }
        if pointer == 0 {
            self.failed(new_size, context, growth_refused);
            return;
        }
        match self.live.remove(&old) {
            Some(block) => {
                self.totals.reallocations += 1;
                self.account_loss(&block);
                let align = if align == 0 { block.align } else { align };
                if pointer != old {
                    self.given_back(&block);
                    self.freed.add(old, block, context);
                }
                self.insert(pointer, new_size, align, context);
                if let (true, Some(resized)) = (pointer == old, self.live.get_mut(&pointer)) {
                    resized.crossed = block.crossed;
                }
            }
            None => {
                self.totals.allocations += 1;
                self.insert(pointer, new_size, align, context);
            }
        }
    }

    fn grown(
        &mut self,
        delta_pages: u64,
        previous_pages: Option<u64>,
        in_allocator: bool,
        context: ContextId,
    ) {
        if delta_pages == 0 {
            return;
        }
        let pages_before = previous_pages.unwrap_or(self.totals.at_end.pages);
        match previous_pages {
            Some(previous) => {
                let after = previous.saturating_add(delta_pages);
                self.totals.at_end.pages = after;
                if !in_allocator {
                    self.own_growth.push((
                        previous.saturating_mul(crate::module::PAGE_BYTES),
                        after.saturating_mul(crate::module::PAGE_BYTES),
                    ));
                }
            }
            None => self.growth_refused |= in_allocator,
        }
        if self.growths.len() < MAX_KEPT {
            self.growths.push(Growth {
                pages_before,
                delta_pages,
                refused: previous_pages.is_none(),
                in_allocator,
                context,
                live_bytes: self.totals.at_end.bytes,
                allocations: self.totals.allocations + self.totals.reallocations,
                request: None,
            });
        }
    }

    /// The growths of the allocator since the last allocation were done for this one. Returns
    /// whether one of them was refused.
    fn explain_growth(&mut self, size: u64) -> bool {
        for growth in &mut self.growths[self.explained..] {
            growth.request = growth.in_allocator.then_some(size);
        }
        self.explained = self.growths.len();
        std::mem::take(&mut self.growth_refused)
    }

    fn failed(&mut self, size: u64, context: ContextId, growth_refused: bool) {
        // `malloc(0)` may return NULL.
        if size == 0 {
            return;
        }
        self.totals.failed += 1;
        let index = match self.failure_of_context.get(&context) {
            Some(&index) => index,
            None if self.failures.len() >= MAX_KEPT => return,
            None => {
                self.failures.push(Failure {
                    size,
                    context,
                    pages: self.totals.at_end.pages,
                    live_bytes: self.totals.at_end.bytes,
                    growth_refused,
                    times: 0,
                    low_memory: None,
                });
                self.failure_of_context.insert(context, self.failures.len() - 1);
                self.failures.len() - 1
            }
        };
        self.failures[index].times += 1;
        self.last_failure = Some(index);
    }

    /// Something that is no block was freed or reallocated.
    fn not_a_block(
        &mut self,
        pointer: u64,
        context: ContextId,
        stale: MisuseKind,
        invalid: MisuseKind,
    ) {
        let inside = self.block_around(pointer);
        let before = self.freed.get(pointer);
        let (kind, block) = match (inside, before) {
            (Some((address, block)), before) => {
                (invalid, Some(concerned(address, &block, before.map(|(_, context)| context))))
            }
            (None, Some((block, freed))) => (stale, Some(concerned(pointer, &block, Some(freed)))),
            (None, None) => (invalid, None),
        };
        self.misused(kind, pointer, 0, context, block);
    }

    /// The live block that an address lies in, or that starts there.
    fn block_around(&self, address: u64) -> Option<(u64, Block)> {
        self.last_block(address, |start, block| address - start < block.size.max(1))
    }

    /// Of the live blocks that start at `address` or before it, the last one that `reaches` as
    /// far as it should.
    fn last_block(
        &self,
        address: u64,
        reaches: impl Fn(u64, &Block) -> bool,
    ) -> Option<(u64, Block)> {
        /// Blocks that are looked at: a broken allocator must not cost more than that.
        const MOST: usize = 1_000;
        // Where blocks do not overlap, none can reach farther than the last.
        let looked_at = if self.overlapping { MOST } else { 1 };
        let mut blocks = self.live.range(..=address).rev().take(looked_at);
        blocks.find(|(start, block)| reaches(**start, block)).map(|(start, block)| (*start, *block))
    }

    fn check_layout(
        &mut self,
        pointer: u64,
        block: &Block,
        size: u64,
        align: u64,
        context: ContextId,
    ) {
        let concerned = Some(concerned(pointer, block, None));
        if size != UNKNOWN_SIZE && size != block.size {
            self.misused(MisuseKind::WrongSize, pointer, size, context, concerned);
        } else if align != 0 && block.align != 0 && align != block.align {
            self.misused(MisuseKind::WrongAlignment, pointer, align, context, concerned);
        }
    }

    fn check_overlap(&mut self, pointer: u64, size: u64, context: ContextId) {
        let last = pointer.saturating_add(size.max(1) - 1);
        let overlapped =
            self.last_block(last, |start, block| start.saturating_add(block.size.max(1)) > pointer);
        if let Some((address, block)) = overlapped {
            self.overlapping = true;
            let concerned = concerned(address, &block, None);
            self.misused(MisuseKind::Overlap, pointer, size, context, Some(concerned));
        }
    }

    fn misused(
        &mut self,
        kind: MisuseKind,
        pointer: u64,
        passed: u64,
        context: ContextId,
        block: Option<Concerned>,
    ) {
        let key = (kind, context, block.map(|b| b.allocated), block.and_then(|b| b.freed));
        if self.misuse.len() >= MAX_MISUSE && !self.misuse.contains_key(&key) {
            return;
        }
        let misuse = Misuse { kind, pointer, passed, context, block, times: 0 };
        self.misuse.entry(key).or_insert(misuse).times += 1;
    }
}

fn concerned(address: u64, block: &Block, freed: Option<ContextId>) -> Concerned {
    Concerned { address, size: block.size, align: block.align, allocated: block.context, freed }
}

/// The blocks freed last, to tell a block freed twice from a pointer that never was one.
#[derive(Debug, Default)]
struct FreedBlocks {
    blocks: FxHashMap<u64, (Block, ContextId)>,
    order: VecDeque<(u64, u64)>,
}

impl FreedBlocks {
    /// Blocks remembered at most.
    const LIMIT: usize = 1 << 16;

    fn add(&mut self, address: u64, block: Block, context: ContextId) {
        self.order.push_back((address, block.serial));
        self.blocks.insert(address, (block, context));
        if self.order.len() > Self::LIMIT
            && let Some((oldest, serial)) = self.order.pop_front()
            && self.blocks.get(&oldest).is_some_and(|(block, _)| block.serial == serial)
        {
            self.blocks.remove(&oldest);
        }
    }

    fn get(&self, address: u64) -> Option<(Block, ContextId)> {
        self.blocks.get(&address).copied()
    }

    /// Forgets a block, since its address is in use again; whether it was remembered.
    fn remove(&mut self, address: u64) -> bool {
        self.blocks.remove(&address).is_some()
    }
}
