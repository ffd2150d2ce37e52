//! The live blocks of one memory: a state machine fed by the events of the instances that use it.

mod accesses;
mod blocks;
mod figures;
mod growing;
mod incidents;
#[cfg(test)]
mod naive;
mod of_host;
#[cfg(test)]
mod properties;
mod reallocations;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::module::PAGE_BYTES;
use crate::trace::{ContextId, Event, UNKNOWN_SIZE};

use accesses::Accesses;
pub use accesses::{AccessError, AccessKind, Accessed, Accessor};
use blocks::{Before, Blocks};
pub use figures::{Extent, Held, Returned, SiteTotals, Totals};
use growing::Growing;
pub use incidents::{AskedBy, Concerned, Failure, Growth, LowMemory, Misuse, MisuseKind};
pub use of_host::{Crossed, Objects};
use reallocations::Reallocations;

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
    pub crossed: Option<Crossed>,
}

/// Growths and kinds of failure that are kept one by one.
const MAX_KEPT: usize = 70_000;

/// Kinds of misuse that are kept, each with up to three stacks.
const MAX_MISUSE: usize = 1_000;

/// The heap of one memory.
#[derive(Debug, Default)]
pub struct Heap {
    blocks: Blocks,
    totals: Totals,
    sites: FxHashMap<ContextId, SiteTotals>,
    /// Number of the current peak.
    peak: u64,
    misuse: FxHashMap<(MisuseKind, ContextId, Option<ContextId>, Option<ContextId>), Misuse>,
    failures: Vec<Failure>,
    failure_of_context: FxHashMap<ContextId, usize>,
    growths: Vec<Growth>,
    growing: Growing,
    reallocations: Reallocations,
    /// Whether any blocks ever overlapped.
    overlapping: bool,
    last_failure: Option<usize>,
    lowest_address: Option<u64>,
    own_growth: Vec<(u64, u64)>,
    returned: FxHashMap<u32, Returned>,
    overwritten: Vec<ContextId>,
    /// By address: the serial of the block there that a finalizer is to free, and where that was said.
    finalizers: FxHashMap<u64, (u64, ContextId)>,
    /// The serial numbers of blocks that a library of the host keeps for its own use, by their addresses.
    kept: FxHashMap<u64, u64>,
    /// Where that was said, how often, without those that were taken back.
    left_to_finalizers: BTreeMap<ContextId, u64>,
    /// What finalizers are to free where no block is known.
    objects: Objects,
    /// By address: the serial of the block there that `realloc(p, 0)` returned.
    emptied: FxHashMap<u64, u64>,
    /// Where accesses are checked.
    accesses: Option<Accesses>,
}

impl Heap {
    /// A heap in a memory of so many pages.
    pub fn new(initial_pages: u64) -> Heap {
        let mut heap = Heap::default();
        heap.totals.at_end.pages = initial_pages;
        heap.totals.at_peak.pages = initial_pages;
        heap
    }

    /// Takes in one event of the instance that has this number.
    pub fn apply(&mut self, instance: usize, event: &Event) {
        match *event {
            Event::Allocated { pointer, size, align, context } => {
                self.put_back(instance);
                self.allocated(instance, pointer, size, align, context);
            }
            Event::Freed { pointer, size, align, context } => {
                self.put_back(instance);
                self.freed(pointer, size, align, context);
            }
            Event::Reallocating { pointer, old_size, align, new_size, context } => {
                self.put_back(instance);
                let released = self.release(pointer, old_size, align, context);
                self.reallocations.begin(instance, pointer, new_size, align, context, released);
            }
            Event::Reallocated { pointer } => self.reallocated(instance, pointer),
            Event::Grown { delta_pages, previous_pages, in_allocator, context } => {
                self.grown(instance, delta_pages, previous_pages, in_allocator, context);
            }
            Event::Crossed { pointer, crossing } => {
                self.crossed(instance, pointer, crossing.into())
            }
            // Calls are counted for each instance.
            Event::Called { .. } => {}
            // What the instruction accesses, its module says.
            Event::BadAccess(_) => {}
        }
    }

    /// Takes in that the host grew the memory, or was refused to if there are no pages before.
    pub fn grown_from_outside(
        &mut self,
        delta_pages: u64,
        previous_pages: Option<u64>,
        context: ContextId,
    ) {
        let pages_before = previous_pages.unwrap_or(self.totals.at_end.pages);
        if let Some(previous) = previous_pages {
            let after = previous.saturating_add(delta_pages);
            self.totals.at_end.pages = self.totals.at_end.pages.max(after);
        }
        self.log_growth(Growth {
            pages_before,
            delta_pages,
            refused: previous_pages.is_none(),
            asked_by: AskedBy::Host,
            context,
            live_bytes: self.totals.at_end.bytes,
            allocations: self.totals.allocations + self.totals.reallocations,
            request: None,
        });
    }

    fn log_growth(&mut self, growth: Growth) {
        if self.growths.len() < MAX_KEPT {
            self.growths.push(growth);
        }
    }

    /// Takes in that memory near address 0 was written.
    pub fn low_memory_changed(&mut self, change: LowMemory) {
        if let Some(failure) = self.last_failure {
            self.failures[failure].low_memory.get_or_insert(change);
        }
    }

    /// Takes in that this value came to the host, or from it. An address in the middle of a block will
    /// do: allocators on top of others put a header in front of what they hand out.
    fn crossed(&mut self, instance: usize, value: u64, crossing: Crossed) {
        let live = self.block_around(value).map(|(address, _)| address);
        let released = self.reallocations.released_around(instance, value);
        let (start, block) = match (live, released) {
            (live, Some((start, block))) if live.is_none_or(|live| live < start) => (start, block),
            (Some(live), _) => match self.blocks.get_mut(live) {
                Some(block) => (live, block),
                None => return,
            },
            _ => return,
        };
        let crossing = crossing.with_offset(value - start);
        if let Some(Crossed::Returned(_)) = block.crossed {
            return;
        }
        block.crossed = block.crossed.max(Some(crossing));
        if let Crossed::Returned(function) = crossing {
            self.returned.entry(function).or_default().blocks += 1;
        }
    }

    /// What became of the blocks that an exported function returned to the host first.
    pub fn returned(&self, function: u32) -> Returned {
        self.returned.get(&function).copied().unwrap_or_default()
    }

    /// Which allocation made the live block that starts at this address.
    pub fn serial_at(&self, address: u64) -> Option<u64> {
        self.blocks.get(address).map(|block| block.serial)
    }

    /// The block that used to start at this address, if none that is alive has taken its place.
    pub fn freed_at(&self, address: u64) -> Option<Concerned> {
        let (block, freed) = self.blocks.freed(address)?;
        self.block_around(address).is_none().then(|| concerned(address, &block, Some(freed)))
    }

    /// Which allocation made the freed block that used to start at this address, if an exported function had returned it.
    pub(super) fn serial_of_once_returned(&self, address: u64) -> Option<u64> {
        let (block, _) = self.blocks.freed(address)?;
        matches!(block.crossed, Some(Crossed::Returned(_))).then_some(block.serial)
    }

    /// The live blocks with their addresses, in the order of these. A block that is being
    /// reallocated lives until that is over.
    pub fn live(&self) -> Vec<(u64, Block)> {
        let mut blocks: Vec<_> = self.blocks.live().chain(self.reallocations.released()).collect();
        blocks.sort_unstable_by_key(|(address, block)| (*address, block.serial));
        blocks
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

    fn allocated(
        &mut self,
        instance: usize,
        pointer: u64,
        size: u64,
        align: u64,
        context: ContextId,
    ) {
        let growth_refused = self.explain_growth(instance, size);
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
        self.lowest_address = Some(self.lowest_address.map_or(pointer, |a| a.min(pointer)));
        let serial = self.totals.allocations + self.totals.reallocations;
        let block = Block { size, align, context, serial, crossed: None };
        if let Some(accesses) = &mut self.accesses {
            accesses.handed_out(pointer, size);
        }
        match self.blocks.insert(pointer, block) {
            Before::Nothing => {}
            Before::Freed => self.totals.reused += 1,
            Before::Live(overlapped) => self.account_loss(&overlapped),
        }
        let end = &mut self.totals.at_end;
        end.blocks += 1;
        end.bytes = end.bytes.saturating_add(size);
        let site = self.changing_site(context);
        site.allocations += 1;
        site.last = serial;
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
        let Some(block) = self.take_freed(pointer, context) else {
            self.not_a_block(pointer, context, MisuseKind::DoubleFree, MisuseKind::InvalidFree);
            return;
        };
        self.check_layout(pointer, &block, size, align, context);
        self.remember_freed(pointer, block, context);
        self.account_free(&block);
    }

    fn account_free(&mut self, block: &Block) {
        self.totals.frees += 1;
        self.given_back(block);
        if block.serial == self.totals.allocations + self.totals.reallocations {
            self.totals.temporary += 1;
            self.changing_site(block.context).temporary += 1;
        }
        self.account_loss(block);
    }

    /// A block is no longer where the host may know it.
    fn given_back(&mut self, block: &Block) {
        if let Some(Crossed::Returned(function)) = block.crossed {
            self.returned.entry(function).or_default().freed += 1;
        }
    }

    fn grown(
        &mut self,
        instance: usize,
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
                        previous.saturating_mul(PAGE_BYTES),
                        after.saturating_mul(PAGE_BYTES),
                    ));
                }
            }
            None if in_allocator => self.growing.refused(instance),
            None => {}
        }
        if in_allocator && self.growths.len() < MAX_KEPT {
            self.growing.grown(instance, self.growths.len());
        }
        self.log_growth(Growth {
            pages_before,
            delta_pages,
            refused: previous_pages.is_none(),
            asked_by: if in_allocator { AskedBy::Allocator } else { AskedBy::Program },
            context,
            live_bytes: self.totals.at_end.bytes,
            allocations: self.totals.allocations + self.totals.reallocations,
            request: None,
        });
    }

    /// The allocator's growths in an instance since its last allocation were done for this one.
    /// Returns whether one of them was refused.
    fn explain_growth(&mut self, instance: usize, size: u64) -> bool {
        let Some(done) = self.growing.take(instance) else { return false };
        for growth in done.kept {
            self.growths[growth].request = Some(size);
        }
        done.refused
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

    /// A pointer that is not a block was freed or reallocated.
    fn not_a_block(
        &mut self,
        pointer: u64,
        context: ContextId,
        stale: MisuseKind,
        invalid: MisuseKind,
    ) {
        let inside = self.block_around(pointer);
        let before = self.blocks.freed(pointer);
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
        let reaches = |(start, block): &(u64, &Block)| reaches(*start, block);
        let found = if self.overlapping {
            self.blocks.until(address).take(MOST).find(reaches)
        } else {
            // Where blocks do not overlap, none can reach farther than the last.
            self.blocks.last(address).filter(reaches)
        };
        found.map(|(start, block)| (start, *block))
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
        if let Some((address, block)) = self.block_within(pointer, size) {
            self.overlapping = true;
            let concerned = concerned(address, &block, None);
            self.misused(MisuseKind::Overlap, pointer, size, context, Some(concerned));
        }
    }

    /// The last live block that has an address in common with so many bytes from `pointer` on.
    fn block_within(&self, pointer: u64, size: u64) -> Option<(u64, Block)> {
        let last = pointer.saturating_add(size.max(1) - 1);
        self.last_block(last, |start, block| start.saturating_add(block.size.max(1)) > pointer)
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
