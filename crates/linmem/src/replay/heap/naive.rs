//! A heap so simple that it is right at a glance: lists that are searched from end to end. It
//! follows the descriptions of [`Heap`](super::Heap)'s types and shares no code with it.

use super::{
    AskedBy, Concerned, Crossed, Extent, Failure, Growth, Held, LowMemory, Misuse, MisuseKind,
    Returned,
};
use crate::trace::{ContextId, Event, UNKNOWN_SIZE};

/// Instances that use the heap at most.
pub const INSTANCES: usize = 3;

/// A block, alive or freed.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub address: u64,
    pub size: u64,
    pub align: u64,
    pub context: ContextId,
    pub serial: u64,
    pub crossed: Option<Crossed>,
    /// The instance that reallocates it, while others may get its memory.
    released_by: Option<usize>,
}

/// What an instance is in the middle of.
#[derive(Debug, Default)]
struct UnderWay {
    /// Growths of the allocator that belong to the next allocation.
    growths: Vec<usize>,
    reallocating: Option<Reallocating>,
}

#[derive(Debug, Clone, Copy)]
struct Reallocating {
    old: u64,
    size: u64,
    align: u64,
    context: ContextId,
    /// Serial of the block.
    of: Option<u64>,
}

impl Block {
    /// Whether the two share an address. An empty block takes one up, too.
    fn overlaps(&self, address: u64, size: u64) -> bool {
        self.address < address + size.max(1) && address < self.address + self.size.max(1)
    }

    fn contains(&self, address: u64) -> bool {
        (self.address..self.address + self.size).contains(&address)
    }

    fn returned_by(&self) -> Option<u32> {
        match self.crossed {
            Some(Crossed::Returned(function)) => Some(function),
            _ => None,
        }
    }

    fn concerned(&self, freed: Option<ContextId>) -> Concerned {
        let Block { address, size, align, context, .. } = *self;
        Concerned { address, size, align, allocated: context, freed }
    }
}

/// What one context's allocations did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Site {
    pub allocations: u64,
    pub bytes: u64,
    pub temporary: u64,
    pub last: u64,
    pub live: Held,
    pub at_peak: Held,
    pub lifetime: u64,
}

/// The heap.
#[derive(Debug, Default)]
pub struct Naive {
    pub live: Vec<Block>,
    /// With where they were freed; the newest last.
    freed: Vec<(Block, ContextId)>,
    /// The exports that returned blocks, once for each; and those whose blocks ended.
    handed_over: Vec<u32>,
    given_back: Vec<u32>,
    pub allocations: u64,
    pub reallocations: u64,
    pub frees: u64,
    pub failed: u64,
    pub allocated_bytes: u64,
    pub temporary: u64,
    pub reused: u64,
    pub pages: u64,
    pub at_peak: Extent,
    pub misuse: Vec<Misuse>,
    pub failures: Vec<Failure>,
    last_failure: Option<ContextId>,
    pub growths: Vec<Growth>,
    sites: Vec<Site>,
    /// By instance.
    under_way: Vec<UnderWay>,
}

impl Naive {
    pub fn new(pages: u64) -> Naive {
        let at_peak = Extent { pages, ..Extent::default() };
        let under_way = (0..INSTANCES).map(|_| UnderWay::default()).collect();
        Naive { pages, at_peak, under_way, ..Naive::default() }
    }

    pub fn extent(&self) -> Extent {
        let bytes = self.live.iter().map(|block| block.size).sum();
        Extent { blocks: self.live.len() as u64, bytes, pages: self.pages }
    }

    /// The figures of a context.
    pub fn site(&self, context: ContextId) -> Site {
        let site = self.sites.get(context.0 as usize).copied().unwrap_or_default();
        Site { live: self.held(context), ..site }
    }

    fn held(&self, context: ContextId) -> Held {
        let blocks = self.live.iter().filter(|block| block.context == context);
        blocks.fold(Held::default(), |mut held, block| {
            held += Held { blocks: 1, bytes: block.size };
            held
        })
    }

    fn site_mut(&mut self, context: ContextId) -> &mut Site {
        let index = context.0 as usize;
        self.sites.resize(self.sites.len().max(index + 1), Site::default());
        &mut self.sites[index]
    }

    fn now(&self) -> u64 {
        self.allocations + self.reallocations
    }

    pub fn apply(&mut self, instance: usize, event: Event) {
        if let Event::Allocated { .. } | Event::Freed { .. } | Event::Reallocating { .. } = event {
            self.put_back(instance);
        }
        match event {
            Event::Allocated { pointer, size, align, context } => {
                let refused = self.allocation_is_over(instance, size);
                if pointer == 0 {
                    self.fail(size, context, refused);
                } else {
                    self.allocations += 1;
                    self.add(pointer, size, align, context);
                }
            }
            Event::Freed { pointer, size, align, context } if pointer != 0 => {
                match self.take(pointer) {
                    Some(block) => {
                        self.check_layout(&block, size, align, context);
                        self.free(block, context);
                    }
                    None => self.no_block(pointer, context, false),
                }
            }
            Event::Freed { .. } => {}
            Event::Reallocating { pointer, old_size, align, new_size, context } => {
                self.reallocating(instance, pointer, old_size, align, new_size, context);
            }
            Event::Reallocated { pointer } => {
                if let Some(begun) = self.under_way[instance].reallocating.take() {
                    self.reallocated(instance, begun, pointer);
                }
            }
            Event::Grown { delta_pages: 0, .. } | Event::Called { .. } | Event::BadAccess(_) => {}
            Event::Crossed { pointer, crossing } => {
                self.crossed(instance, pointer, crossing.into())
            }
            Event::Grown { delta_pages, previous_pages, in_allocator, context } => {
                self.grow(instance, delta_pages, previous_pages, in_allocator, context);
            }
        }
    }

    pub fn low_memory_changed(&mut self, change: LowMemory) {
        let failure = self.failures.iter_mut().find(|f| Some(f.context) == self.last_failure);
        if let Some(failure) = failure {
            failure.low_memory.get_or_insert(change);
        }
    }

    /// The export that returned a block first is the one that counts; else the best evidence.
    fn crossed(&mut self, instance: usize, value: u64, crossing: Crossed) {
        let known = |block: &Block| block.released_by.is_none_or(|by| by == instance);
        let around = self.live.iter_mut().filter(|b| known(b) && b.overlaps(value, 1));
        let block = around.max_by_key(|block| (block.address, block.released_by.is_none()));
        let Some(block) = block.filter(|block| block.returned_by().is_none()) else { return };
        let crossing = crossing.with_offset(value - block.address);
        block.crossed = block.crossed.max(Some(crossing));
        if let Some(function) = block.returned_by() {
            self.handed_over.push(function);
        }
    }

    pub fn returned(&self, function: u32) -> Returned {
        let count = |all: &[u32]| all.iter().filter(|f| **f == function).count() as u64;
        Returned { blocks: count(&self.handed_over), freed: count(&self.given_back) }
    }

    fn reallocating(
        &mut self,
        instance: usize,
        old: u64,
        old_size: u64,
        align: u64,
        size: u64,
        context: ContextId,
    ) {
        let block = self.take(old);
        let of = block.map(|block| block.serial);
        self.under_way[instance].reallocating =
            Some(Reallocating { old, size, align, context, of });
        match block {
            Some(block) => {
                self.check_layout(&block, old_size, align, context);
                self.live.push(Block { released_by: Some(instance), ..block });
            }
            None if old == 0 => {}
            None => self.no_block(old, context, true),
        }
    }

    fn reallocated(&mut self, instance: usize, begun: Reallocating, new: u64) {
        let Reallocating { old, size, align, context, of } = begun;
        let refused = self.allocation_is_over(instance, size);
        let its_own = self.live.iter().position(|block| {
            Some(block.serial) == of && block.released_by.is_none_or(|by| by == instance)
        });
        let block = its_own.map(|index| self.live.remove(index));
        if new == 0 && size == 0 && old != 0 {
            // `realloc(block, 0)` may free. A pointer that is not a block was reported already.
            if let Some(block) = block {
                self.free(block, context);
            }
        } else if new == 0 {
            if let Some(block) = block {
                self.keep(block);
            }
            self.fail(size, context, refused);
        } else if let Some(block) = block {
            self.reallocations += 1;
            self.end_life(&block);
            if new != old {
                self.given_back.extend(block.returned_by());
                self.remember(block, context);
            }
            self.add(new, size, if align == 0 { block.align } else { align }, context);
            if new == old {
                self.live.last_mut().expect("it was added").crossed = block.crossed;
            }
        } else {
            self.allocations += 1;
            self.add(new, size, align, context);
        }
    }

    /// The reallocation under way in an instance has not released its block after all.
    fn put_back(&mut self, instance: usize) {
        let released = self.live.iter().position(|block| block.released_by == Some(instance));
        if let Some(index) = released {
            let block = self.live.remove(index);
            self.keep(block);
        }
    }

    /// Keeps a block whose reallocation failed, unless another one has its address.
    fn keep(&mut self, block: Block) {
        let mut others = self.live.iter().filter(|other| other.released_by.is_none());
        if others.any(|other| other.address == block.address) {
            self.end_life(&block);
        } else {
            self.freed.retain(|(freed, _)| freed.address != block.address);
            self.live.push(Block { released_by: None, ..block });
        }
    }

    fn add(&mut self, address: u64, size: u64, align: u64, context: ContextId) {
        let in_place = self.live.iter().filter(|block| block.released_by.is_none());
        let overlapped = in_place.filter(|block| block.overlaps(address, size));
        if let Some(block) = overlapped.max_by_key(|block| block.address).copied() {
            let concerned = Some(block.concerned(None));
            self.misused(MisuseKind::Overlap, address, size, context, concerned);
        }
        let known = self.freed.len();
        self.freed.retain(|(block, _)| block.address != address);
        self.reused += u64::from(self.freed.len() < known);
        if let Some(replaced) = self.take_if(address, |block| block.released_by.is_none()) {
            self.end_life(&replaced);
        }
        let (serial, crossed, released_by) = (self.now(), None, None);
        self.live.push(Block { address, size, align, context, serial, crossed, released_by });
        self.allocated_bytes += size;
        let site = self.site_mut(context);
        site.allocations += 1;
        site.last = serial;
        site.bytes += size;
        let extent = self.extent();
        if extent.bytes > self.at_peak.bytes {
            self.at_peak = extent;
            for context in (0..self.sites.len() as u32).map(ContextId) {
                self.site_mut(context).at_peak = self.held(context);
            }
        }
    }

    /// The block at an address, better one in place than one that is being reallocated.
    fn take(&mut self, address: u64) -> Option<Block> {
        (0..=INSTANCES).find_map(|by| {
            let by = by.checked_sub(1);
            self.take_if(address, |block| block.released_by == by)
        })
    }

    fn take_if(&mut self, address: u64, is_meant: impl Fn(&Block) -> bool) -> Option<Block> {
        let found = |block: &Block| block.address == address && is_meant(block);
        let index = self.live.iter().position(found)?;
        Some(self.live.remove(index))
    }

    fn free(&mut self, block: Block, context: ContextId) {
        self.frees += 1;
        if block.serial == self.now() {
            self.temporary += 1;
            self.site_mut(block.context).temporary += 1;
        }
        self.end_life(&block);
        self.given_back.extend(block.returned_by());
        self.remember(block, context);
    }

    /// Remembers a freed block, unless another one has its address.
    fn remember(&mut self, block: Block, context: ContextId) {
        let mut in_place = self.live.iter().filter(|other| other.released_by.is_none());
        if in_place.all(|other| other.address != block.address) {
            self.freed.push((block, context));
        }
    }

    fn end_life(&mut self, block: &Block) {
        let lifetime = self.now() - block.serial;
        self.site_mut(block.context).lifetime += lifetime;
    }

    fn no_block(&mut self, pointer: u64, context: ContextId, realloc: bool) {
        let (invalid, stale) = match realloc {
            true => (MisuseKind::InvalidRealloc, MisuseKind::ReallocOfFreed),
            false => (MisuseKind::InvalidFree, MisuseKind::DoubleFree),
        };
        let in_place = self.live.iter().filter(|block| block.released_by.is_none());
        let around = in_place.filter(|block| block.contains(pointer));
        let around = around.max_by_key(|block| block.address).copied();
        let before = self.freed.iter().rev().find(|(block, _)| block.address == pointer).copied();
        let freed = before.map(|(_, context)| context);
        match (around, before) {
            (Some(block), _) => {
                self.misused(invalid, pointer, 0, context, Some(block.concerned(freed)));
            }
            (None, Some((block, _))) => {
                self.misused(stale, pointer, 0, context, Some(block.concerned(freed)));
            }
            (None, None) => self.misused(invalid, pointer, 0, context, None),
        }
    }

    fn check_layout(&mut self, block: &Block, size: u64, align: u64, context: ContextId) {
        let concerned = Some(block.concerned(None));
        if size != UNKNOWN_SIZE && size != block.size {
            self.misused(MisuseKind::WrongSize, block.address, size, context, concerned);
        } else if align != 0 && block.align != 0 && align != block.align {
            self.misused(MisuseKind::WrongAlignment, block.address, align, context, concerned);
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
        let misuse = Misuse { kind, pointer, passed, context, block, times: 1 };
        match self.misuse.iter_mut().find(|known| stacks(known) == stacks(&misuse)) {
            Some(known) => known.times += 1,
            None => self.misuse.push(misuse),
        }
    }

    fn fail(&mut self, size: u64, context: ContextId, growth_refused: bool) {
        if size == 0 {
            return;
        }
        self.failed += 1;
        self.last_failure = Some(context);
        match self.failures.iter_mut().find(|failure| failure.context == context) {
            Some(failure) => failure.times += 1,
            None => self.failures.push(Failure {
                size,
                context,
                pages: self.pages,
                live_bytes: self.extent().bytes,
                growth_refused,
                times: 1,
                low_memory: None,
            }),
        }
    }

    fn grow(
        &mut self,
        instance: usize,
        delta_pages: u64,
        previous_pages: Option<u64>,
        in_allocator: bool,
        context: ContextId,
    ) {
        if in_allocator {
            self.under_way[instance].growths.push(self.growths.len());
        }
        self.growths.push(Growth {
            pages_before: previous_pages.unwrap_or(self.pages),
            delta_pages,
            refused: previous_pages.is_none(),
            asked_by: if in_allocator { AskedBy::Allocator } else { AskedBy::Program },
            context,
            live_bytes: self.extent().bytes,
            allocations: self.now(),
            request: None,
        });
        if let Some(previous) = previous_pages {
            self.pages = previous + delta_pages;
        }
    }

    /// The allocator's growths since the instance's last allocation were done for this one; whether
    /// one of them was refused.
    fn allocation_is_over(&mut self, instance: usize, size: u64) -> bool {
        let growths = std::mem::take(&mut self.under_way[instance].growths);
        for &growth in &growths {
            self.growths[growth].request = Some(size);
        }
        growths.iter().any(|&growth| self.growths[growth].refused)
    }
}

/// What makes two misuses the same.
pub fn stacks(misuse: &Misuse) -> (MisuseKind, ContextId, Option<ContextId>, Option<ContextId>) {
    let block = misuse.block;
    (misuse.kind, misuse.context, block.map(|b| b.allocated), block.and_then(|b| b.freed))
}
