//! [`Heap`] against [`Naive`], fed with the same events: those that sound programs cause, and those
//! that no program should.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::naive::{self, INSTANCES, Naive, Site};
use super::{Heap, LowMemory};
use crate::trace::{ContextId, Crossing, Event, UNKNOWN_SIZE};

/// So many cases, unless `PROPTEST_CASES` asks for another number.
fn cases(number: u32) -> Config {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default(),
        None => Config { cases: number, ..Config::default() },
    }
}

/// What a heap can be told.
#[derive(Debug, Clone)]
enum Step {
    Event(usize, Event),
    LowMemory(LowMemory),
}

const CONTEXTS: u32 = 5;
const FUNCTIONS: u32 = 2;
const PAGES: u64 = 2;

fn context() -> impl Strategy<Value = ContextId> {
    (0..CONTEXTS).prop_map(ContextId)
}

/// One instance does most of it, so that reallocations come to an end.
fn instance() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(0), 1 => 0..INSTANCES]
}

/// Few addresses, so that blocks are often freed twice, pointed into, or handed out twice.
fn pointer() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0u64), 20 => (1..=24u64).prop_map(|n| 16 * n), 2 => 1..=400u64]
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0u64), 8 => 1..=16u64, 2 => 17..=200u64]
}

fn old_size() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(UNKNOWN_SIZE), 1 => size()]
}

fn align() -> impl Strategy<Value = u64> {
    prop::sample::select(vec![0u64, 0, 4, 8])
}

fn event() -> impl Strategy<Value = Event> {
    let grown = (0..3u64, prop::option::weighted(0.7, 2..9u64), any::<bool>(), context());
    prop_oneof![
        6 => (pointer(), size(), align(), context()).prop_map(|(pointer, size, align, context)| {
            Event::Allocated { pointer, size, align, context }
        }),
        6 => (pointer(), old_size(), align(), context()).prop_map(
            |(pointer, size, align, context)| Event::Freed { pointer, size, align, context }
        ),
        3 => (pointer(), old_size(), align(), size(), context()).prop_map(
            |(pointer, old_size, align, new_size, context)| {
                Event::Reallocating { pointer, old_size, align, new_size, context }
            }
        ),
        3 => pointer().prop_map(|pointer| Event::Reallocated { pointer }),
        1 => (pointer(), crossing())
            .prop_map(|(pointer, crossing)| Event::Crossed { pointer, crossing }),
        1 => grown.prop_map(|(delta_pages, previous_pages, in_allocator, context)| {
            Event::Grown { delta_pages, previous_pages, in_allocator, context }
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let low = (0..8u64, 1..8u64).prop_map(|(first, changed)| {
        Step::LowMemory(LowMemory { first, last: first + changed - 1, changed })
    });
    prop_oneof![
        32 => (instance(), event()).prop_map(|(instance, event)| Step::Event(instance, event)),
        1 => low,
    ]
}

fn crossing() -> impl Strategy<Value = Crossing> {
    prop_oneof![
        Just(Crossing::HandedOut),
        Just(Crossing::Passed { function: 0, parameter: 0, caller: None }),
        (0..FUNCTIONS).prop_map(Crossing::Returned),
    ]
}

fn both(steps: &[Step]) -> (Heap, Naive) {
    let (mut heap, mut naive) = (Heap::new(PAGES), Naive::new(PAGES));
    for step in steps {
        match *step {
            Step::Event(instance, event) => {
                heap.apply(instance, &event);
                naive.apply(instance, event);
            }
            Step::LowMemory(change) => {
                heap.low_memory_changed(change);
                naive.low_memory_changed(change);
            }
        }
    }
    (heap, naive)
}

fn check_totals(heap: &Heap, naive: &Naive) -> Result<(), TestCaseError> {
    let totals = heap.totals();
    prop_assert_eq!(totals.allocations, naive.allocations);
    prop_assert_eq!(totals.reallocations, naive.reallocations);
    prop_assert_eq!(totals.frees, naive.frees);
    prop_assert_eq!(totals.failed, naive.failed);
    prop_assert_eq!(totals.allocated_bytes, naive.allocated_bytes);
    prop_assert_eq!(totals.temporary, naive.temporary);
    prop_assert_eq!(totals.reused, naive.reused);
    prop_assert_eq!(totals.at_peak, naive.at_peak);
    prop_assert_eq!(totals.at_end, naive.extent());
    Ok(())
}

fn check_blocks(heap: &Heap, naive: &Naive) -> Result<(), TestCaseError> {
    let live = heap.live().into_iter();
    let live: Vec<_> = live
        .map(|(address, b)| (address, b.size, b.align, b.context, b.serial, b.crossed))
        .collect();
    let mut expected: Vec<_> = naive
        .live
        .iter()
        .map(|b| (b.address, b.size, b.align, b.context, b.serial, b.crossed))
        .collect();
    expected.sort_by_key(|(address, .., serial, _)| (*address, *serial));
    prop_assert_eq!(live, expected);
    Ok(())
}

fn check_returned(heap: &Heap, naive: &Naive) -> Result<(), TestCaseError> {
    for function in 0..FUNCTIONS {
        prop_assert_eq!(heap.returned(function), naive.returned(function));
    }
    Ok(())
}

fn check_sites(heap: &Heap, naive: &Naive) -> Result<(), TestCaseError> {
    for context in (0..CONTEXTS).map(ContextId) {
        let site = heap.sites().find(|(id, _)| *id == context);
        let site = site.map_or(Site::default(), |(_, site)| Site {
            allocations: site.allocations,
            bytes: site.bytes,
            temporary: site.temporary,
            last: site.last,
            live: site.live,
            at_peak: heap.at_peak(&site),
            lifetime: site.lifetime,
        });
        prop_assert_eq!(site, naive.site(context), "context {}", context.0);
    }
    Ok(())
}

fn check_misuse(heap: &Heap, naive: &Naive) -> Result<(), TestCaseError> {
    let mut misuse: Vec<_> = heap.misuse().copied().collect();
    let mut expected = naive.misuse.clone();
    misuse.sort_by_key(naive::stacks);
    expected.sort_by_key(naive::stacks);
    prop_assert_eq!(misuse, expected);
    Ok(())
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn the_heap_is_what_a_naive_one_is(steps in vec(step(), 1..120)) {
        let (heap, naive) = both(&steps);
        check_totals(&heap, &naive)?;
        check_blocks(&heap, &naive)?;
        check_returned(&heap, &naive)?;
        check_sites(&heap, &naive)?;
        check_misuse(&heap, &naive)?;
        prop_assert_eq!(heap.failures(), &naive.failures[..]);
        prop_assert_eq!(heap.growths(), &naive.growths[..]);
    }
}
