//! A heap so simple that it is right at a glance: lists that are searched from end to end. It
//! follows the descriptions of [`Heap`](super::Heap)'s types and shares no code with it.

use super::{Concerned, Extent, Failure, Growth, Held, LowMemory, Misuse, MisuseKind, Returned};
use crate::trace::{ContextId, Crossing, Event, UNKNOWN_SIZE};

/// A block, alive or freed.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub address: u64,
    pub size: u64,
    pub align: u64,
    pub context: ContextId,
    pub serial: u64,
    pub crossed: Option<Crossing>,
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
            Some(Crossing::Returned(function)) => Some(function),
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
    /// Growths of the allocator that belong to the allocation under way.
    growths_under_way: Vec<usize>,
    sites: Vec<Site>,
    reallocating: Option<(u64, u64, u64, ContextId)>,
}

impl Naive {
    pub fn new(pages: u64) -> Naive {
        Naive { pages, at_peak: Extent { pages, ..Extent::default() }, ..Naive::default() }
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

    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Allocated { pointer, size, align, context } => {
                let refused = self.allocation_is_over(size);
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
                self.reallocating = Some((pointer, align, new_size, context));
                match self.live.iter().find(|block| block.address == pointer).copied() {
                    Some(block) => self.check_layout(&block, old_size, align, context),
                    None if pointer == 0 => {}
                    None => self.no_block(pointer, context, true),
                }
            }
            Event::Reallocated { pointer } => {
                if let Some((old, align, size, context)) = self.reallocating.take() {
                    self.reallocated(old, pointer, size, align, context);
                }
            }
            Event::Grown { delta_pages: 0, .. } | Event::Called { .. } => {}
            Event::Crossed { pointer, crossing } => self.crossed(pointer, crossing),
            Event::Grown { delta_pages, previous_pages, in_allocator, context } => {
                self.grow(delta_pages, previous_pages, in_allocator, context);
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
    pub fn crossed(&mut self, value: u64, crossing: Crossing) {
        let around = self.live.iter_mut().filter(|block| block.overlaps(value, 1));
        let block = around.max_by_key(|block| block.address);
        let Some(block) = block.filter(|block| block.returned_by().is_none()) else { return };
        block.crossed = block.crossed.max(Some(crossing));
        if let Some(function) = block.returned_by() {
            self.handed_over.push(function);
        }
    }

    pub fn returned(&self, function: u32) -> Returned {
        let count = |all: &[u32]| all.iter().filter(|f| **f == function).count() as u64;
        Returned { blocks: count(&self.handed_over), freed: count(&self.given_back) }
    }

    fn reallocated(&mut self, old: u64, new: u64, size: u64, align: u64, context: ContextId) {
        let refused = self.allocation_is_over(size);
        if new == 0 && size == 0 && old != 0 {
            // `realloc(block, 0)` may free. A pointer that is not a block was reported already.
            if let Some(block) = self.take(old) {
                self.free(block, context);
            }
        } else if new == 0 {
            self.fail(size, context, refused);
        } else if let Some(block) = self.take(old) {
            self.reallocations += 1;
            self.end_life(&block);
            if new != old {
                self.given_back.extend(block.returned_by());
                self.freed.push((block, context));
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

    fn add(&mut self, address: u64, size: u64, align: u64, context: ContextId) {
        let overlapped = self.live.iter().filter(|block| block.overlaps(address, size));
        if let Some(block) = overlapped.max_by_key(|block| block.address).copied() {
            let concerned = Some(block.concerned(None));
            self.misused(MisuseKind::Overlap, address, size, context, concerned);
        }
        let known = self.freed.len();
        self.freed.retain(|(block, _)| block.address != address);
        self.reused += u64::from(self.freed.len() < known);
        if let Some(replaced) = self.take(address) {
            self.end_life(&replaced);
        }
        let serial = self.now();
        self.live.push(Block { address, size, align, context, serial, crossed: None });
        self.allocated_bytes += size;
        let site = self.site_mut(context);
        site.allocations += 1;
        site.bytes += size;
        let extent = self.extent();
        if extent.bytes > self.at_peak.bytes {
            self.at_peak = extent;
            for context in (0..self.sites.len() as u32).map(ContextId) {
                self.site_mut(context).at_peak = self.held(context);
            }
        }
    }

    fn take(&mut self, address: u64) -> Option<Block> {
        let index = self.live.iter().position(|block| block.address == address)?;
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
        self.freed.push((block, context));
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
        let around = self.live.iter().filter(|block| block.contains(pointer));
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
        delta_pages: u64,
        previous_pages: Option<u64>,
        in_allocator: bool,
        context: ContextId,
    ) {
        if in_allocator {
            self.growths_under_way.push(self.growths.len());
        }
        self.growths.push(Growth {
            pages_before: previous_pages.unwrap_or(self.pages),
            delta_pages,
            refused: previous_pages.is_none(),
            in_allocator,
            context,
            live_bytes: self.extent().bytes,
            allocations: self.now(),
            request: None,
        });
        if let Some(previous) = previous_pages {
            self.pages = previous + delta_pages;
        }
    }

    /// The allocator's growths since the last allocation were done for this one; whether one of
    /// them was refused.
    fn allocation_is_over(&mut self, size: u64) -> bool {
        let growths = std::mem::take(&mut self.growths_under_way);
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
