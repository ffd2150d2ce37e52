//! The roots of the mark: words outside of the heap that may point into it.

use std::collections::BTreeSet;

use super::mark::Blocks;
use crate::analyze::Subject;
use crate::call_graph::CallGraph;
use crate::layout::Layout;
use crate::replay::Snapshot;

/// The words of the roots that could be pointers to blocks: of static data, of the shadow stack
/// in use, of pages that the program grew past its allocator, and of globals.
pub fn words(
    subject: &Subject<'_>,
    snapshot: &Snapshot,
    blocks: Blocks<'_>,
    word_bytes: u64,
) -> Vec<u64> {
    let stack_pointer = subject.module.stack_pointer().map(u64::from);
    let globals = snapshot.globals.iter().filter(|(index, _)| Some(*index) != stack_pointer);
    let mut words: Vec<u64> = globals.map(|(_, value)| *value).collect();
    let allocators_own = allocators_own_words(subject);
    for (start, end) in ranges(subject, snapshot) {
        // The words of live blocks are not roots, wherever the blocks lie.
        let roots = snapshot
            .words(start, end, word_bytes)
            .filter(|&(_, word)| blocks.pointed_into(word).is_some())
            .filter(|&(address, _)| blocks.containing(address).is_none())
            .filter(|(address, _)| !allocators_own.contains(address));
        words.extend(roots.map(|(_, word)| word));
    }
    words
}

/// Static words that only the allocator uses: its counts and the bounds of its heap look like
/// pointers into blocks, and are none.
fn allocators_own_words(subject: &Subject<'_>) -> BTreeSet<u64> {
    let functions = &subject.module.functions;
    let inside = allocators_own_functions(subject);
    let words = |own: bool| {
        let bodies = functions.iter().zip(&inside).filter(move |(_, inside)| **inside == own);
        bodies.filter_map(|(function, _)| function.body.as_ref()).flat_map(|b| &b.static_words)
    };
    let others: BTreeSet<u64> = words(false).copied().collect();
    words(true).copied().filter(|word| !others.contains(word)).collect()
}

/// For each function, whether it is hooked or called by such functions alone.
fn allocators_own_functions(subject: &Subject<'_>) -> Vec<bool> {
    let module = subject.module;
    let hooked = |f: u32| subject.recorded.allocator.role(f).is_some();
    let roots = module.exported_functions().map(|(_, function)| function).chain(module.start);
    let roots = roots.chain(module.address_taken.iter().copied());
    // Whatever can be reached without passing a hooked function is somebody else's too.
    let reached = CallGraph::new(module).reachable(roots, hooked);
    (0..module.functions.len()).map(|function| !reached[function]).collect()
}

/// Where roots lie: static data, the used part of the shadow stack, and pages that the program
/// grew past its allocator. What is below the stack pointer is dead.
fn ranges(subject: &Subject<'_>, snapshot: &Snapshot) -> Vec<(u64, u64)> {
    let module = subject.module;
    let heap = &subject.instance.heap;
    let layout = Layout::of(module);
    let memory_end = snapshot.pages.saturating_mul(crate::module::PAGE_BYTES);
    let data_end = module.data_end().unwrap_or(0);
    let static_end = layout
        .heap_base
        .or_else(|| heap.lowest_address().filter(|lowest| *lowest >= data_end))
        .unwrap_or(if data_end > 0 { data_end } else { memory_end })
        .min(memory_end);
    let mut ranges = heap.own_growth().to_vec();
    match layout.stack {
        None => ranges.push((0, static_end)),
        Some(stack) => {
            let pointer = u64::from(stack.pointer);
            let now = snapshot.globals.iter().find(|(index, _)| *index == pointer);
            let now = now.map_or(stack.range.end, |(_, value)| (*value).min(stack.range.end));
            ranges.push((0, stack.range.start.min(static_end)));
            ranges.push((now.max(stack.range.start), static_end));
        }
    }
    ranges.retain(|(start, end)| start < end);
    ranges
}
