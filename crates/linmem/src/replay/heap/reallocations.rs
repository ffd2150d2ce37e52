//! Reallocations, from the moment before the allocator runs to the moment after.
//!
//! In between, other instances may get the block's address: the allocator has released it, and the host
//! learns of their allocation first. So the block is out of the way until the reallocation is over. It
//! comes back if that fails, and when the instance allocates or frees again: then the allocator trapped.

use rustc_hash::FxHashMap;

use super::{Block, Heap, MisuseKind};
use crate::trace::ContextId;

/// The reallocations under way, one in each instance.
#[derive(Debug, Default)]
pub(super) struct Reallocations(FxHashMap<usize, Reallocation>);

/// A reallocation under way.
#[derive(Debug, Clone, Copy)]
struct Reallocation {
    pointer: u64,
    new_size: u64,
    align: u64,
    context: ContextId,
    /// Serial of the block, if `pointer` was one.
    serial: Option<u64>,
    /// The block, until it is put back.
    released: Option<Block>,
}

impl Reallocations {
    pub(super) fn begin(
        &mut self,
        instance: usize,
        pointer: u64,
        new_size: u64,
        align: u64,
        context: ContextId,
        released: Option<Block>,
    ) {
        let serial = released.map(|block| block.serial);
        let begun = Reallocation { pointer, new_size, align, context, serial, released };
        self.0.insert(instance, begun);
    }

    /// The blocks that are out of the way, with their addresses, in no order.
    pub(super) fn released(&self) -> impl Iterator<Item = (u64, Block)> + '_ {
        self.0.values().filter_map(|begun| Some((begun.pointer, begun.released?)))
    }

    /// The block that an instance reallocates, if an address lies in it.
    pub(super) fn released_around(
        &mut self,
        instance: usize,
        address: u64,
    ) -> Option<(u64, &mut Block)> {
        if self.0.is_empty() {
            return None;
        }
        let Reallocation { pointer, released, .. } = self.0.get_mut(&instance)?;
        let block = released.as_mut()?;
        let reaches = address.checked_sub(*pointer)? < block.size.max(1);
        reaches.then_some((*pointer, block))
    }

    /// The block at an address that some instance reallocates, which does not go on with it.
    fn take_from_any(&mut self, address: u64) -> Option<Block> {
        /// Reallocations that are looked at: a hostile trace must not cost more than that.
        const MOST: usize = 1_000;
        let begun = self.0.iter_mut().take(MOST);
        let here = begun.filter(|(_, begun)| begun.pointer == address && begun.released.is_some());
        here.min_by_key(|(instance, _)| **instance)?.1.released.take()
    }
}

impl Heap {
    /// Takes a block out that is freed. An instance that trapped in a reallocation may have left
    /// it to others.
    pub(super) fn take_freed(&mut self, pointer: u64, context: ContextId) -> Option<Block> {
        self.blocks.free(pointer, context).or_else(|| {
            let block = self.reallocations.take_from_any(pointer)?;
            self.blocks.add_freed(pointer, block, context);
            Some(block)
        })
    }

    /// A reallocation begins: takes its block out of the way, if there is one.
    pub(super) fn release(
        &mut self,
        pointer: u64,
        old_size: u64,
        align: u64,
        context: ContextId,
    ) -> Option<Block> {
        if pointer == 0 {
            return None;
        }
        let block = self.blocks.take(pointer).or_else(|| self.reallocations.take_from_any(pointer));
        match &block {
            Some(block) => self.check_layout(pointer, block, old_size, align, context),
            None => self.not_a_block(
                pointer,
                context,
                MisuseKind::ReallocOfFreed,
                MisuseKind::InvalidRealloc,
            ),
        }
        block
    }

    /// Puts the block back that an instance reallocates: its allocator has kept it.
    #[inline]
    pub(super) fn put_back(&mut self, instance: usize) {
        if self.reallocations.0.is_empty() {
            return;
        }
        if let Some(begun) = self.reallocations.0.get_mut(&instance)
            && let Some(block) = begun.released.take()
        {
            let pointer = begun.pointer;
            self.put_back_at(pointer, block);
        }
    }

    /// Puts a block back. If other blocks have its memory by now, that is not reported: the allocator
    /// may have released the block and trapped afterwards.
    fn put_back_at(&mut self, pointer: u64, block: Block) {
        if self.blocks.get(pointer).is_some() {
            self.account_loss(&block);
            return;
        }
        self.overlapping |= self.block_within(pointer, block.size).is_some();
        self.blocks.insert(pointer, block);
    }

    /// A reallocation is over.
    pub(super) fn reallocated(&mut self, instance: usize, pointer: u64) {
        let Some(begun) = self.reallocations.0.remove(&instance) else { return };
        let Reallocation { pointer: old, new_size, align, context, .. } = begun;
        let growth_refused = self.explain_growth(instance, new_size);
        let block = self.block_of(&begun);
        match block {
            Some(block) if pointer != 0 => {
                let align = if align == 0 { block.align } else { align };
                self.moved(old, block, context, pointer);
                self.remember_freed(old, block, context);
                self.insert(pointer, new_size, align, context);
                if let Some(resized) = self.blocks.get_mut(pointer) {
                    if pointer == old {
                        resized.crossed = block.crossed;
                    }
                    if new_size == 0 {
                        self.emptied.insert(pointer, resized.serial);
                    }
                }
            }
            None if pointer != 0 => {
                self.totals.allocations += 1;
                self.insert(pointer, new_size, align, context);
            }
            Some(block) if new_size == 0 => {
                self.account_free(&block);
                self.remember_freed(old, block, context);
                self.blocks.add_freed(old, block, context);
            }
            // A pointer that is not a block was reported when the reallocation began.
            None if new_size == 0 => {}
            block => {
                if let Some(block) = block {
                    self.put_back_at(old, block);
                }
                self.failed(new_size, context, growth_refused);
            }
        }
    }

    /// Whether a live block is what `realloc(p, 0)` returned instead of freeing.
    pub fn is_emptied(&self, address: u64, block: &Block) -> bool {
        self.emptied.get(&address) == Some(&block.serial)
    }

    /// Takes the block out that a reallocation is of, if it is still there.
    fn block_of(&mut self, begun: &Reallocation) -> Option<Block> {
        let put_back = |heap: &mut Heap| {
            let block = heap.blocks.get(begun.pointer)?;
            if Some(block.serial) == begun.serial { heap.blocks.take(begun.pointer) } else { None }
        };
        begun.released.or_else(|| put_back(self))
    }

    /// A block ends where it was and goes on at `pointer`.
    fn moved(&mut self, old: u64, block: Block, context: ContextId, pointer: u64) {
        self.totals.reallocations += 1;
        self.account_loss(&block);
        if pointer != old {
            self.given_back(&block);
            self.blocks.add_freed(old, block, context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Event, UNKNOWN_SIZE};

    const CONTEXT: ContextId = ContextId(0);

    fn allocated(pointer: u64) -> Event {
        Event::Allocated { pointer, size: 16, align: 0, context: CONTEXT }
    }

    fn reallocating(pointer: u64) -> Event {
        resizing(pointer, 32)
    }

    fn resizing(pointer: u64, new_size: u64) -> Event {
        let old_size = UNKNOWN_SIZE;
        Event::Reallocating { pointer, old_size, align: 0, new_size, context: CONTEXT }
    }

    /// A heap after the events of several instances.
    fn heap(events: &[(usize, Event)]) -> Heap {
        let mut heap = Heap::new(1);
        events.iter().for_each(|(instance, event)| heap.apply(*instance, event));
        heap
    }

    fn addresses(heap: &Heap) -> Vec<u64> {
        heap.live().iter().map(|(address, _)| *address).collect()
    }

    #[test]
    fn another_instance_may_get_the_memory_before_the_reallocation_is_over() {
        let moved = Event::Reallocated { pointer: 64 };
        let heap =
            heap(&[(0, allocated(16)), (0, reallocating(16)), (1, allocated(16)), (0, moved)]);
        assert_eq!(addresses(&heap), [16, 64]);
        assert_eq!(heap.misuse().count(), 0);
    }

    #[test]
    fn what_is_resized_to_nothing_is_known_until_the_next_block_is_there() {
        let returned = |pointer| (0, Event::Reallocated { pointer });
        let is_emptied = |events: &[(usize, Event)]| -> Vec<bool> {
            let heap = heap(events);
            heap.live().iter().map(|(address, block)| heap.is_emptied(*address, block)).collect()
        };
        let emptied = [(0, allocated(16)), (0, resizing(16, 0)), returned(16)];
        assert_eq!(is_emptied(&emptied), [true]);
        let moved = [(0, allocated(16)), (0, resizing(16, 0)), returned(64)];
        assert_eq!(is_emptied(&moved), [true]);
        let freed = Event::Freed { pointer: 16, size: UNKNOWN_SIZE, align: 0, context: CONTEXT };
        let then = |rest: &[(usize, Event)]| is_emptied(&[&emptied[..], rest].concat());
        assert_eq!(then(&[(0, freed), (0, allocated(16))]), [false]);
        assert_eq!(then(&[(0, resizing(16, 8)), returned(16)]), [false]);
        // `realloc(NULL, 0)` is `malloc(0)`; and where `realloc(p, 0)` frees, nothing is left.
        assert_eq!(is_emptied(&[(0, resizing(0, 0)), returned(16)]), [false]);
        let [first, second, _] = emptied;
        assert_eq!(is_emptied(&[first, second, returned(0)]), [] as [bool; 0]);
    }

    #[test]
    fn a_failed_reallocation_leaves_the_block_as_it_was() {
        let failed = Event::Reallocated { pointer: 0 };
        let before = heap(&[(0, allocated(16))]);
        let after = heap(&[(0, allocated(16)), (0, reallocating(16)), (0, failed)]);
        assert_eq!(after.live(), before.live());
    }

    #[test]
    fn a_block_lives_while_it_is_reallocated_and_after_a_trap() {
        let heap = heap(&[(0, allocated(16)), (0, reallocating(16))]);
        assert_eq!(addresses(&heap), [16]);
        let mut trapped = heap;
        trapped.apply(0, &allocated(24));
        let overlaps = trapped.misuse().filter(|misuse| misuse.kind == MisuseKind::Overlap);
        assert_eq!((addresses(&trapped), overlaps.count()), (vec![16, 24], 1));
    }
}
