//! [`Blocks`] against ordered maps, with addresses from one end of the number range to the other.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Insert(u64),
    Take(u64),
    Free(u64),
    AddFreed(u64),
}

fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => (0..256u64).prop_map(|n| 8 * n),
        2 => 0..2048u64,
        1 => (0..64u64).prop_map(|n| n << 15),
        1 => (0..2048u64).prop_map(|n| u64::MAX - n),
        1 => any::<u64>(),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => address().prop_map(Step::Insert),
        1 => address().prop_map(Step::Take),
        2 => address().prop_map(Step::Free),
        1 => address().prop_map(Step::AddFreed),
    ]
}

fn block(serial: u64) -> Block {
    Block { size: 1, align: 0, context: ContextId(0), serial, crossed: None }
}

/// The serials of the blocks by address: of the live ones and of those that are freed.
#[derive(Default)]
struct Maps {
    live: BTreeMap<u64, u64>,
    freed: BTreeMap<u64, u64>,
}

impl Maps {
    fn apply(&mut self, step: &Step, serial: u64) {
        match *step {
            Step::Insert(address) => {
                self.live.insert(address, serial);
                self.freed.remove(&address);
            }
            Step::Take(address) => {
                self.live.remove(&address);
            }
            Step::Free(address) => {
                self.freed.extend(self.live.remove(&address).map(|serial| (address, serial)));
            }
            Step::AddFreed(address) if !self.live.contains_key(&address) => {
                self.freed.insert(address, serial);
            }
            Step::AddFreed(_) => {}
        }
    }
}

fn apply(blocks: &mut Blocks, step: &Step, serial: u64) {
    match *step {
        Step::Insert(address) => drop(blocks.insert(address, block(serial))),
        Step::Take(address) => drop(blocks.take(address)),
        Step::Free(address) => drop(blocks.free(address, ContextId(0))),
        Step::AddFreed(address) => blocks.add_freed(address, block(serial), ContextId(0)),
    }
}

proptest! {
    #[test]
    fn blocks_are_found_as_in_an_ordered_map(
        steps in vec(step(), 1..200),
        addresses in vec(address(), 20),
    ) {
        let (mut blocks, mut maps) = (Blocks::default(), Maps::default());
        for (step, serial) in steps.iter().zip(1..) {
            apply(&mut blocks, step, serial);
            maps.apply(step, serial);
        }
        let mut live: Vec<_> = blocks.live().map(|(address, b)| (address, b.serial)).collect();
        live.sort_unstable();
        prop_assert_eq!(live, maps.live.clone().into_iter().collect::<Vec<_>>());
        for address in addresses {
            let until = blocks.until(address).map(|(address, b)| (address, b.serial));
            let expected = maps.live.range(..=address).rev().map(|(a, serial)| (*a, *serial));
            prop_assert_eq!(until.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            let last = blocks.last(address).map(|(address, _)| address);
            prop_assert_eq!(last, maps.live.range(..=address).next_back().map(|(a, _)| *a));
            let freed = blocks.freed(address).map(|(block, _)| block.serial);
            prop_assert_eq!(freed, maps.freed.get(&address).copied());
        }
    }
}

/// What is forgotten takes no memory.
#[test]
fn only_the_blocks_freed_last_are_remembered() {
    let mut blocks = Blocks::default();
    let addresses = || (0..100_000u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for (address, serial) in addresses().zip(1..) {
        blocks.insert(address, block(serial));
        blocks.free(address, ContextId(0));
    }
    let remembered = addresses().filter(|address| blocks.freed(*address).is_some()).count();
    assert_eq!((remembered, blocks.spans.len()), (Blocks::FREED, Blocks::FREED));
    assert!(blocks.with_live.is_empty());
}
