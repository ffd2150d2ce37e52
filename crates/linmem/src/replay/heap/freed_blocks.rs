//! The blocks freed last.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::Block;
use crate::trace::ContextId;

/// The blocks freed last, to tell a block freed twice from a pointer that never was one.
#[derive(Debug, Default)]
pub(super) struct FreedBlocks {
    blocks: FxHashMap<u64, (Block, ContextId)>,
    order: VecDeque<(u64, u64)>,
}

impl FreedBlocks {
    /// Blocks remembered at most.
    const LIMIT: usize = 1 << 16;

    pub(super) fn add(&mut self, address: u64, block: Block, context: ContextId) {
        self.order.push_back((address, block.serial));
        self.blocks.insert(address, (block, context));
        if self.order.len() > Self::LIMIT
            && let Some((oldest, serial)) = self.order.pop_front()
            && self.blocks.get(&oldest).is_some_and(|(block, _)| block.serial == serial)
        {
            self.blocks.remove(&oldest);
        }
    }

    pub(super) fn get(&self, address: u64) -> Option<(Block, ContextId)> {
        self.blocks.get(&address).copied()
    }

    /// Forgets a block, since its address is in use again; whether it was remembered.
    pub(super) fn remove(&mut self, address: u64) -> bool {
        self.blocks.remove(&address).is_some()
    }
}
