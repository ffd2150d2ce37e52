//! The mark: roots in, the kind of every live block out.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::roots::Roots;
use super::{Holder, Kind, layouts};
use crate::replay::Snapshot;
use crate::replay::heap::{Block, Crossed, Held};
use crate::trace::ContextId;

/// A mark over the live blocks, and what came of it.
pub struct Mark<'a> {
    /// The live blocks.
    pub blocks: Blocks<'a>,
    snapshot: Option<&'a Snapshot>,
    word_bytes: u64,
    /// By block.
    pub kinds: Vec<Kind>,
    /// For each definitely lost block, what only it leads to.
    pub indirect: Vec<Held>,
    /// For each block that the host holds, whether words lead there that are perhaps left over.
    pub has_left_over: Vec<bool>,
    /// For each block to which what the host holds leads, whether all that leads there crossed in the same way.
    pub is_led_to_alone: Vec<bool>,
    /// For each block that the host holds, whether it is a part of an object that the host holds.
    pub is_part: Vec<bool>,
    /// Offsets at which so many blocks are pointed to that their owners do.
    recurring: BTreeSet<u64>,
    seen: Vec<bool>,
}

/// Which words of a block count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    /// Those in the bytes that were asked for.
    AskedFor,
    /// Those behind.
    LeftOver,
    /// All.
    All,
}

/// A live block.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// Its address.
    pub address: u64,
    /// The bytes that it has: those asked for, unless it was resized unseen.
    pub extent: u64,
    /// How many of these were asked for: the words behind them are perhaps left over from an earlier block.
    pub asked_for: u64,
    /// What is known of it.
    pub block: Block,
}

/// The live blocks of an instance, by address.
#[derive(Clone, Copy)]
pub struct Blocks<'a> {
    /// The blocks.
    pub live: &'a [Live],
    /// Their addresses alone, which are searched for each word: they lie closer together.
    pub addresses: &'a [u64],
    /// How far behind their starts owners may point: what exported functions put before blocks; 0 if they put nothing there.
    pub put_before: u64,
}

impl<'a> Blocks<'a> {
    /// The block that an address lies in.
    pub fn containing(self, address: u64) -> Option<usize> {
        // Most words are not addresses, which is quickly seen.
        let (lowest, highest) = (self.live.first()?, self.live.last()?);
        let end = highest.address.saturating_add(highest.extent);
        if !(lowest.address..=end).contains(&address) {
            return None;
        }
        let after = self.addresses.partition_point(|start| *start <= address);
        let live = self.live[after.checked_sub(1)?];
        (address - live.address < live.extent.max(1)).then_some(after - 1)
    }

    /// Whether owners point to this offset in each block.
    fn is_owners(self, offset: u64) -> bool {
        offset == 0 || offset == self.put_before
    }

    /// The block that a pointer into its middle, or to its start, keeps.
    ///
    /// In dlmalloc the header of a block overlaps the last word of the block before, and the
    /// allocator's own tables point to headers: such an address says nothing about the block
    /// that it lies in.
    pub fn pointed_into(self, address: u64) -> Option<usize> {
        let index = self.containing(address)?;
        let live = self.live[index];
        let end = live.address.saturating_add(live.extent);
        let next_header = address.is_multiple_of(8) && end.saturating_sub(address) <= 4;
        let is_owners = self.is_owners(address - live.address);
        (is_owners || !next_header).then_some(index)
    }
}

impl<'a> Mark<'a> {
    /// Before the mark, all blocks count as reachable.
    pub fn new(blocks: Blocks<'a>, snapshot: Option<&'a Snapshot>, word_bytes: u64) -> Mark<'a> {
        Mark {
            blocks,
            snapshot,
            word_bytes,
            kinds: vec![Kind::Reachable; blocks.live.len()],
            indirect: vec![Held::default(); blocks.live.len()],
            has_left_over: vec![false; blocks.live.len()],
            is_led_to_alone: vec![false; blocks.live.len()],
            is_part: vec![false; blocks.live.len()],
            recurring: BTreeSet::new(),
            seen: vec![false; blocks.live.len()],
        }
    }

    /// Marks from the words of the roots, and from the blocks that are left to finalizers.
    pub fn run(&mut self, roots: &Roots, left: &[usize]) {
        self.run_once(roots, left);
        if self.kinds.contains(&Kind::Possible) {
            let recurring = layouts::recurring(self.pointers_into_possible(roots));
            if !recurring.is_empty() {
                *self =
                    Mark { recurring, ..Mark::new(self.blocks, self.snapshot, self.word_bytes) };
                self.run_once(roots, left);
            }
            self.accept_siblings();
        }
        self.tell_led_to_alone();
    }

    /// Where many blocks with the same call stack hang on blocks that the host or a finalizer holds, their owners may
    /// well point into the middle, and so may that of one more.
    fn accept_siblings(&mut self) {
        let mut hanging: FxHashMap<ContextId, usize> = FxHashMap::default();
        for (kind, live) in self.kinds.iter().zip(self.blocks.live) {
            if matches!(kind, Kind::HostHeld(Holder::LedTo(_)) | Kind::FinalizerHeld) {
                *hanging.entry(live.block.context).or_default() += 1;
            }
        }
        for (kind, live) in self.kinds.iter_mut().zip(self.blocks.live) {
            let siblings = hanging.get(&live.block.context).copied().unwrap_or(0);
            if *kind == Kind::Possible && siblings >= layouts::FEWEST_OF_LAYOUT {
                *kind = Kind::Reachable;
            }
        }
    }

    fn run_once(&mut self, roots: &Roots, left: &[usize]) {
        let blocks = self.blocks;
        let starts = roots.words.iter().filter_map(|&word| self.owned_at(word)).collect();
        self.spread(starts, Kind::Reachable, Words::AskedFor);
        self.spread(left.to_vec(), Kind::FinalizerHeld, Words::AskedFor);
        // That the host has a block's address is better evidence than a pointer into its middle, and than a word that
        // is perhaps left over.
        self.spread_from_host();
        self.share_with_host(left);
        let on_stack = roots.on_stack.iter().filter_map(|&word| self.owned_at(word)).collect();
        self.spread_from_left_over(on_stack, |kind| kind == Kind::Reachable);
        let interior = roots.all().filter_map(|word| blocks.pointed_into(word));
        let reached = self.seen_blocks().filter(|&block| self.kinds[block] == Kind::Reachable);
        let through_blocks = reached.flat_map(|block| self.pointers(block, true, Words::All));
        let possible = interior.chain(through_blocks).collect();
        self.spread(possible, Kind::Possible, Words::All);
        // In blocks that the program allocates only to fill them, such words are most likely somebody else's.
        self.spread_from_left_over(Vec::new(), |kind| kind != Kind::Reachable);
        self.judge_lost();
    }

    /// Marks what only words lead to that are perhaps left over, here or in blocks of some kinds, and tells to which of the blocks
    /// that the host holds they lead.
    fn spread_from_left_over(&mut self, starts: Vec<usize>, of: impl Fn(Kind) -> bool) {
        let mut starts = BTreeMap::from([(Kind::Reachable, starts)]);
        for block in self.seen_blocks().filter(|&block| of(self.kinds[block])) {
            let kind = self.kinds[block].of_what_it_leads_to();
            let pointers = self.pointers(block, kind != Kind::Reachable, Words::LeftOver);
            starts.entry(kind).or_default().extend(pointers);
        }
        self.tell_left_over(starts[&Kind::Reachable].clone());
        for (kind, starts) in starts.into_iter().rev() {
            self.spread(starts, kind, Words::All);
        }
    }

    /// Tells which of the blocks that the host holds these lead to.
    fn tell_left_over(&mut self, mut pending: Vec<usize>) {
        while let Some(block) = pending.pop() {
            let is_held = matches!(self.kinds[block], Kind::HostHeld(_));
            if is_held && !std::mem::replace(&mut self.has_left_over[block], true) {
                pending.extend(self.pointers(block, false, Words::All));
            }
        }
    }

    fn seen_blocks(&self) -> impl Iterator<Item = usize> {
        (0..self.seen.len()).filter(|&block| self.seen[block])
    }

    /// The possibly lost blocks that something points into, and at which offset.
    fn pointers_into_possible(&self, roots: &Roots) -> impl Iterator<Item = (usize, u64)> {
        let kept = |kind: &Kind| !matches!(kind, Kind::Definite | Kind::Indirect);
        let kept = (0..self.kinds.len()).filter(move |&block| kept(&self.kinds[block]));
        let words = roots.all().chain(kept.flat_map(|block| self.words(block, Words::All)));
        words.filter_map(|word| {
            let block = self.blocks.pointed_into(word)?;
            (self.kinds[block] == Kind::Possible)
                .then_some((block, word - self.blocks.live[block].address))
        })
    }

    /// Marks what `pending` leads to by these words and is not marked yet.
    fn spread(&mut self, mut pending: Vec<usize>, kind: Kind, words: Words) {
        while let Some(block) = pending.pop() {
            if !std::mem::replace(&mut self.seen[block], true) {
                self.kinds[block] = kind;
                pending.extend(self.pointers(block, kind != Kind::Reachable, words));
            }
        }
    }

    /// Marks the blocks whose addresses the host has, and what they lead to, by how it got them.
    fn spread_from_host(&mut self) {
        let mut held: BTreeMap<Crossed, Vec<usize>> = BTreeMap::new();
        for (block, live) in self.blocks.live.iter().enumerate() {
            if let (Some(crossing), false) = (live.block.crossed, self.seen[block]) {
                held.entry(crossing).or_default().push(block);
            }
        }
        // A block that an export returned is the host's own, whoever else points there. That others were seen to
        // cross counts only where no such block leads to them.
        for (crossing, blocks) in &held {
            if matches!(crossing, Crossed::Returned(_)) {
                self.mark_held(blocks, *crossing);
            }
        }
        for (crossing, blocks) in held.into_iter().rev() {
            let blocks: Vec<usize> = match crossing {
                Crossed::Returned(_) => blocks,
                _ => blocks.into_iter().filter(|&block| !self.seen[block]).collect(),
            };
            self.mark_held(&blocks, crossing);
            let next = blocks.iter().flat_map(|&block| self.pointers(block, true, Words::AskedFor));
            self.spread(next.collect(), Kind::HostHeld(Holder::LedTo(crossing)), Words::AskedFor);
        }
    }

    /// Tells what only blocks that crossed in one way lead to: what is marked from there, whichever comes first.
    fn tell_led_to_alone(&mut self) {
        let mut held: BTreeMap<Crossed, Vec<usize>> = BTreeMap::new();
        for (block, kind) in self.kinds.iter().enumerate() {
            if let Kind::HostHeld(Holder::Has(crossing)) = kind {
                held.entry(*crossing).or_default().push(block);
            }
        }
        let mut seen = vec![false; self.kinds.len()];
        // The other way round than `spread_from_host`.
        for (crossing, mut pending) in held {
            while let Some(block) = pending.pop() {
                let next: Vec<usize> = self.pointers(block, true, Words::AskedFor).collect();
                for block in next {
                    if let Kind::HostHeld(Holder::LedTo(first)) = self.kinds[block]
                        && !std::mem::replace(&mut seen[block], true)
                    {
                        self.is_led_to_alone[block] = first == crossing;
                        pending.push(block);
                    }
                }
            }
        }
    }

    /// Gives what both the blocks that the host holds and those that are left to finalizers lead to to the host: it stays
    /// when the finalizers have run.
    fn share_with_host(&mut self, left: &[usize]) {
        let left: BTreeSet<usize> = left.iter().copied().collect();
        let held =
            (0..self.kinds.len()).filter(|&block| matches!(self.kinds[block], Kind::HostHeld(_)));
        let mut pending: Vec<usize> = held.collect();
        while let Some(block) = pending.pop() {
            let kind = self.kinds[block].of_what_it_leads_to();
            let next: Vec<usize> = self.owned_by(block).collect();
            for block in next {
                if self.kinds[block] == Kind::FinalizerHeld && !left.contains(&block) {
                    self.kinds[block] = kind;
                    pending.push(block);
                }
            }
        }
    }

    /// The blocks that a block points to as owners do.
    pub fn owned_by(&self, block: usize) -> impl Iterator<Item = usize> + use<'a, '_> {
        self.pointers(block, false, Words::AskedFor)
    }

    fn mark_held(&mut self, blocks: &[usize], crossing: Crossed) {
        for &block in blocks {
            self.seen[block] = true;
            self.kinds[block] = Kind::HostHeld(Holder::Has(crossing));
        }
    }

    /// Lost blocks that no other lost block leads to are definite, and so is one block of every
    /// cycle that nothing else leads to; what they lead to is indirect.
    fn judge_lost(&mut self) {
        // The block that a depth-first search leaves last has no pointer to it from a block left earlier,
        // except within a cycle: the first half of Kosaraju's algorithm.
        for leader in self.lost_in_order_of_leaving().into_iter().rev() {
            if std::mem::replace(&mut self.seen[leader], true) {
                continue;
            }
            self.kinds[leader] = Kind::Definite;
            let mut below = Held::default();
            let mut pending: Vec<usize> = self.pointers(leader, true, Words::All).collect();
            while let Some(block) = pending.pop() {
                if !std::mem::replace(&mut self.seen[block], true) {
                    self.kinds[block] = Kind::Indirect;
                    below += Held { blocks: 1, bytes: self.blocks.live[block].block.size };
                    pending.extend(self.pointers(block, true, Words::All));
                }
            }
            self.indirect[leader] = below;
        }
    }

    /// The blocks that are not marked, in the order in which a depth-first search leaves them.
    fn lost_in_order_of_leaving(&self) -> Vec<usize> {
        let mut entered = self.seen.clone();
        let mut left = Vec::new();
        // Of a cycle that nothing else leads to, the block that is entered first is left last: the oldest, which made
        // the others.
        let mut by_age: Vec<usize> = (0..entered.len()).collect();
        by_age.sort_by_key(|&block| self.blocks.live[block].block.serial);
        for lost in by_age {
            let mut pending = vec![(lost, false)];
            while let Some((block, leaving)) = pending.pop() {
                if leaving {
                    left.push(block);
                } else if !std::mem::replace(&mut entered[block], true) {
                    pending.push((block, true));
                    let next = self.pointers(block, true, Words::All);
                    pending.extend(next.map(|next| (next, false)));
                }
            }
        }
        left
    }

    /// The block that starts at an address, or that its owner points into there.
    fn owned_at(&self, address: u64) -> Option<usize> {
        let block = self.blocks.containing(address)?;
        let live = &self.blocks.live[block];
        let offset = address - live.address;
        let is_owned = self.blocks.is_owners(offset)
            || self.recurring.contains(&offset)
            || layouts::is_owned_at(
                self.snapshot,
                live,
                offset,
                self.word_bytes,
                self.blocks.live[0].address,
            );
        is_owned.then_some(block)
    }

    /// The blocks that these words of a block point to, and with `interior` also those that they point into.
    fn pointers(
        &self,
        block: usize,
        interior: bool,
        words: Words,
    ) -> impl Iterator<Item = usize> + use<'a, '_> {
        let blocks = self.blocks;
        self.words(block, words).filter_map(move |word| {
            if interior { blocks.pointed_into(word) } else { self.owned_at(word) }
        })
    }

    /// The words of a block that are not zero.
    fn words(&self, block: usize, words: Words) -> impl Iterator<Item = u64> + use<'a, '_> {
        let Live { address, extent, asked_for, .. } = self.blocks.live[block];
        let word_bytes = self.word_bytes;
        // What blocks share, where they overlap, belongs to the last of them.
        let next = self.blocks.live.get(block + 1).map_or(u64::MAX, |next| next.address);
        let end = address.saturating_add(extent).min(next);
        let left_over = match asked_for == extent {
            true => end,
            // The owner of a block has no pointer in a word that it asked for in part only.
            false => address.saturating_add(asked_for / word_bytes * word_bytes).min(end),
        };
        let (start, end) = match words {
            Words::AskedFor => (address, left_over),
            Words::LeftOver => (left_over, end),
            Words::All => (address, end),
        };
        let words = self.snapshot.into_iter().flat_map(move |s| s.words(start, end, word_bytes));
        words.map(|(_, word)| word).filter(|word| *word != 0)
    }
}
