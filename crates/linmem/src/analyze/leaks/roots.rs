//! The roots of the mark: words outside the heap that may point into it.

use std::collections::BTreeSet;

use super::mark::Blocks;
use crate::analyze::subject::{Instance, Memory};
use crate::module::memory_map::ShadowStack;
use crate::prepared::Prepared;
use crate::replay::Snapshot;
use crate::trace::LiveFrames;

/// Words outside the heap that could be pointers to blocks.
#[derive(Debug, Default)]
pub struct Roots {
    /// Those of static data, of pages that the program grew past its allocator, and of the globals of all instances.
    pub words: Vec<u64>,
    /// Those of the shadow stack in use, if no code of the module runs. Then the host has made room there for the module
    /// to fill, and may have forgotten what: Emscripten's `stackAlloc`.
    pub on_stack: Vec<u64>,
}

impl Roots {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = u64> {
        self.words.iter().chain(&self.on_stack).copied()
    }

    /// Finds them.
    pub fn of(
        memory: Memory<'_, '_>,
        snapshot: &Snapshot,
        blocks: Blocks<'_>,
        word_bytes: u64,
    ) -> Roots {
        let in_ranges = |ranges: Vec<(u64, u64)>| {
            let words = ranges.into_iter().flat_map(|(start, end)| {
                // The words of live blocks are not roots, wherever the blocks lie.
                snapshot
                    .words(start, end, word_bytes)
                    .filter(|&(_, word)| blocks.pointed_into(word).is_some())
                    .filter(|&(address, _)| blocks.containing(address).is_none())
                    .filter(|&(address, _)| !is_allocators(memory, address))
                    .filter(|&(address, word)| !is_initial(memory, address, word, word_bytes))
            });
            words.map(|(_, word)| word).collect::<Vec<_>>()
        };
        let (mut ranges, mut on_stack) = ranges(memory, snapshot);
        if may_run(memory) {
            ranges.append(&mut on_stack);
        }
        let mut words: Vec<u64> = memory.users().flat_map(globals).collect();
        words.extend(in_ranges(ranges));
        Roots { words, on_stack: in_ranges(on_stack) }
    }
}

/// Whether code of the module may be running.
fn may_run(memory: Memory<'_, '_>) -> bool {
    let mut globals = memory.users().filter_map(|user| user.recorded().globals.as_ref());
    globals.any(|globals| globals.live_frames != LiveFrames::None)
}

/// Whether only the allocator uses the word at this address.
fn is_allocators(memory: Memory<'_, '_>, address: u64) -> bool {
    let modules = memory.modules();
    modules.iter().any(|facts| facts.premises.allocators_own.contains(&address))
}

/// Whether a word still has the value that it had when the program began. No block was there then.
fn is_initial(memory: Memory<'_, '_>, address: u64, word: u64, word_bytes: u64) -> bool {
    let modules = memory.modules();
    let mut initial = modules.iter().map(|facts| facts.initial.word(address, word_bytes));
    initial.any(|initial| initial == Some(word))
}

/// The values of an instance's globals, except its stack pointer.
fn globals(instance: Instance<'_, '_>) -> Vec<u64> {
    let stack_pointer = stack(instance).map(|(stack, _)| u64::from(stack.pointer));
    let values = instance.recorded().globals.iter().flat_map(|globals| &globals.values);
    let values = values.filter(|(index, _)| Some(*index) != stack_pointer);
    values.map(|(_, value)| *value).collect()
}

/// Static words that only the allocator uses: its counts, the bounds of its heap and its lists of
/// free blocks look like pointers into blocks, but are not.
///
/// The code has no address of an array except its first one. So what lies between two words of the
/// allocator is the allocator's as well, unless other code mentions an address there.
pub fn allocators_own_words(prepared: &Prepared<'_>) -> BTreeSet<u64> {
    /// dlmalloc's arrays have 392 bytes.
    const LONGEST_ARRAY: u64 = 512;
    let functions = prepared.module.functions.iter();
    let functions = functions.zip(prepared.allocators_own_functions());
    let (mut own, mut others) = (BTreeSet::new(), BTreeSet::new());
    for (function, is_own) in functions {
        let Some(body) = &function.body else { continue };
        if is_own {
            own.extend(&body.static_words);
        } else {
            others.extend(&body.static_addresses);
        }
    }
    let words: Vec<u64> = own.difference(&others).copied().collect();
    let mut own: BTreeSet<u64> = words.iter().copied().collect();
    for (from, to) in words.iter().copied().zip(words.iter().copied().skip(1)) {
        if to - from <= LONGEST_ARRAY && others.range(from..to).next().is_none() {
            own.extend((from..to).step_by(4));
        }
    }
    own
}

/// Ranges of addresses.
type Ranges = Vec<(u64, u64)>;

/// Where roots lie: static data, and pages that the program grew past its allocator; and the used part of the shadow
/// stack. Words below the stack pointer are dead.
fn ranges(memory: Memory<'_, '_>, snapshot: &Snapshot) -> (Ranges, Ranges) {
    let mut ranges = memory.heap().own_growth().to_vec();
    let mut on_stack = Ranges::new();
    for user in memory.users() {
        let static_end = static_end(memory, user, snapshot.size);
        match stack(user) {
            // A thread of its own has its stack somewhere else: the first user tells of this one.
            None if user.number != memory.first_user()
                && user.facts().premises.memory_map.stack.is_some() => {}
            None => ranges.push((0, static_end)),
            Some((stack, now)) => {
                let end = stack.range.end.min(static_end);
                ranges.push((0, stack.range.start.min(static_end)));
                on_stack.push((now.max(stack.range.start), end));
                ranges.push((end, static_end));
            }
        }
    }
    (united(ranges), united(on_stack))
}

/// Where the static data of an instance ends, and the heap begins.
fn static_end(memory: Memory<'_, '_>, user: Instance<'_, '_>, memory_end: u64) -> u64 {
    let data_end = user.module().data_end().unwrap_or(0);
    let layout = &user.facts().premises.memory_map;
    layout
        .heap_base
        .or_else(|| memory.heap().lowest_address().filter(|lowest| *lowest >= data_end))
        .unwrap_or(if data_end > 0 { data_end } else { memory_end })
        .min(memory_end)
}

/// Ranges without overlaps, so that no word is a root twice.
fn united(mut ranges: Ranges) -> Ranges {
    ranges.retain(|(start, end)| start < end);
    ranges.sort_unstable();
    let mut united = Ranges::new();
    for (start, end) in ranges {
        match united.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => united.push((start, end)),
        }
    }
    united
}

/// The shadow stack of an instance, and its pointer at the time of the snapshot. A global above its
/// initial value is not a stack pointer: an allocator that only moves on keeps one that looks alike.
fn stack(instance: Instance<'_, '_>) -> Option<(ShadowStack, u64)> {
    let stack = instance.facts().premises.memory_map.stack?;
    let pointer = u64::from(stack.pointer);
    let mut values = instance.recorded().globals.iter().flat_map(|globals| &globals.values);
    let now = values.find(|(index, _)| *index == pointer);
    let now = now.map_or(stack.range.end, |(_, value)| *value);
    (now <= stack.range.end).then_some((stack, now))
}
