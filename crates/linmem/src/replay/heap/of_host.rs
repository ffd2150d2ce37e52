//! What the host does with the blocks of a heap, and with its allocator.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::blocks::Blocks;
use super::growing::Growing;
use super::reallocations::Reallocations;
use super::{Block, Heap, MAX_KEPT};
use crate::trace::{ContextId, Crossing};

/// How an address got to the host, or how it shows that the host has it; the strongest evidence is the
/// greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crossed {
    /// An address far inside it did: of something that lies in the block, and is not the block's owner's.
    Inside,
    /// The module passed it to an imported function.
    HandedOut,
    /// The host passed it to an exported function.
    Passed,
    /// This exported function returned it.
    Returned(u32),
}

/// How far from its start, in bytes, a block's owner may point at most: behind a header.
const FARTHEST_OWNER: u64 = 32;

impl Crossed {
    /// The same for an address so many bytes from the block's start.
    #[must_use]
    pub fn with_offset(self, offset: u64) -> Crossed {
        if offset <= FARTHEST_OWNER { self } else { Crossed::Inside }
    }
}

impl From<Crossing> for Crossed {
    fn from(crossing: Crossing) -> Crossed {
        match crossing {
            Crossing::HandedOut => Crossed::HandedOut,
            Crossing::Passed { .. } => Crossed::Passed,
            Crossing::Returned(function) => Crossed::Returned(function),
        }
    }
}

/// Addresses that the program left to finalizers, at which no block is known.
#[derive(Debug, Default)]
pub struct Objects {
    /// By address: where that was said last.
    at: FxHashMap<u64, ContextId>,
    /// Where that was said, how often, without those that were taken back.
    left: BTreeMap<ContextId, u64>,
}

impl Objects {
    fn registered(&mut self, address: u64, context: ContextId) {
        self.at.insert(address, context);
        *self.left.entry(context).or_default() += 1;
    }

    fn unregistered(&mut self, address: u64) {
        if let Some(context) = self.at.remove(&address)
            && let Some(left) = self.left.get_mut(&context)
        {
            *left -= 1;
        }
    }

    fn forget_addresses(&mut self) {
        self.at.clear();
    }

    /// Whether there were none, also none that were taken back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Where the program left objects to finalizers and did not take that back, and how many.
    pub fn left(&self) -> impl Iterator<Item = (ContextId, u64)> {
        self.left.iter().map(|(&context, &left)| (context, left)).filter(|(_, left)| *left > 0)
    }
}

impl Heap {
    /// Takes in that the host wrote over the allocator's state: the blocks so far are not there any more, and
    /// there may be others.
    pub fn start_anew(&mut self, context: ContextId) {
        for (_, block) in self.live() {
            self.account_loss(&block);
        }
        self.blocks = Blocks::default();
        self.reallocations = Reallocations::default();
        self.growing = Growing::default();
        self.finalizers.clear();
        self.objects.forget_addresses();
        self.kept.clear();
        self.emptied.clear();
        self.overlapping = false;
        if self.overwritten.len() < MAX_KEPT {
            self.overwritten.push(context);
        }
    }

    /// Takes in that a finalizer is to free what is at an address. It may lie in the middle of a block: Rust's `Rc`
    /// points behind its counts.
    pub fn registered(&mut self, address: u64, context: ContextId) {
        if let Some((start, block)) = self.block_around(address) {
            self.finalizers.insert(start, (block.serial, context));
            *self.left_to_finalizers.entry(context).or_default() += 1;
        } else {
            self.objects.registered(address, context);
        }
    }

    /// Takes in that none is.
    pub fn unregistered(&mut self, address: u64) {
        // The program may have freed it before.
        let start = self.block_around(address).map_or(address, |(start, _)| start);
        if let Some((_, context)) = self.finalizers.remove(&start)
            && let Some(left) = self.left_to_finalizers.get_mut(&context)
        {
            *left -= 1;
        } else {
            self.objects.unregistered(address);
        }
    }

    /// What the program left to finalizers where no block is known: objects, if blocks were not seen.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Where the program left blocks to finalizers and did not take that back, and how many.
    pub fn left_to_finalizers(&self) -> impl Iterator<Item = (ContextId, u64)> {
        self.left_to_finalizers
            .iter()
            .map(|(&context, &left)| (context, left))
            .filter(|(_, left)| *left > 0)
    }

    /// The same of those that are still live: their finalizers have not run.
    pub fn kept_from_finalizers(&self) -> BTreeMap<ContextId, u64> {
        let mut kept = BTreeMap::new();
        for (address, block) in self.live() {
            if let Some(context) = self.finalizer(address, &block) {
                *kept.entry(context).or_default() += 1;
            }
        }
        kept
    }

    /// Where the program left a live block to a finalizer, if it did.
    pub fn finalizer(&self, address: u64, block: &Block) -> Option<ContextId> {
        let (serial, context) = self.finalizers.get(&address)?;
        (*serial == block.serial).then_some(*context)
    }

    /// Takes in that a library of the host keeps a block for its own use.
    pub fn kept(&mut self, address: u64) {
        if let Some((start, block)) = self.block_around(address) {
            self.kept.insert(start, block.serial);
        }
    }

    /// Whether a library of the host keeps a live block for its own use.
    pub fn is_kept(&self, address: u64, block: &Block) -> bool {
        self.kept.get(&address) == Some(&block.serial)
    }

    /// Where the host wrote over the allocator's state, each time.
    pub fn overwritten(&self) -> &[ContextId] {
        &self.overwritten
    }
}
