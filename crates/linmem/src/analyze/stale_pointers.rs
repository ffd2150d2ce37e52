//! Addresses of blocks that had been freed, passed to functions by the host.

use std::collections::{BTreeMap, BTreeSet};

use crate::replay::freed_addresses::{Parameter, StaleUse};
use crate::replay::heap::{Concerned, MisuseKind};
use crate::report::{Code, Finding, Severity};
use crate::units::{bytes, count};

use super::exports;
use super::lines::in_parentheses;
use super::subject::{Memory, Subject};
use super::unseen_events;

/// In a run with more frees than this, a number may equal the address of a freed block by chance.
const FEW_FREES: u64 = 16;

/// Numbers below this are seldom addresses.
const LOWEST_ADDRESS: u64 = 1024;

/// A number can equal the address of one block by chance.
const FEWEST_BLOCKS: u64 = 2;

/// One finding for each parameter and place.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    subject.memories().flat_map(of_memory).collect()
}

fn of_memory(memory: Memory<'_, '_>) -> Vec<Finding> {
    // Where not all frees and allocations are seen, another block may be there meanwhile.
    if unseen_events::reason(memory).is_some() || memory.sees_a_part() {
        return Vec::new();
    }
    let mut by_place: BTreeMap<_, (bool, StaleUse)> = BTreeMap::new();
    let returned = only_returned(memory);
    for (parameter, is_pointer, used) in memory.recorded().stale_pointers.iter() {
        let facts = memory.subject.module(parameter.module);
        // The allocator's own functions judge what they are given.
        let is_hooked = facts.recorded.allocator.hooked().contains(&parameter.function);
        let few = memory.heap().totals().frees <= FEW_FREES;
        let is_likely = is_pointer
            || used.block.address >= LOWEST_ADDRESS && (few || returned.contains(&parameter));
        if is_hooked || !is_likely || is_misuse(memory, used.block) {
            continue;
        }
        let freed = used.block.freed.map(|context| memory.likely_place(context));
        let place = (parameter, memory.likely_place(used.context), freed);
        match by_place.get_mut(&place) {
            Some((_, first)) => first.times += used.times,
            None => {
                by_place.insert(place, (is_pointer, used));
            }
        }
    }
    let found = by_place.into_iter();
    found
        .map(|((parameter, ..), (is_pointer, used))| finding(memory, parameter, is_pointer, used))
        .collect()
}

/// The parameters that had in each call the address of a freed block, of several, that an exported function had returned
/// before: numbers do not do so by chance.
fn only_returned(memory: Memory<'_, '_>) -> BTreeSet<Parameter> {
    let parameters = memory.recorded().stale_pointers.once_returned();
    let always = parameters.filter(|&(Parameter { module, function, .. }, of_parameter)| {
        of_parameter.blocks >= FEWEST_BLOCKS
            && of_parameter.times == exports::calls(memory, (module, function))
    });
    always.map(|(parameter, _)| parameter).collect()
}

/// Whether the block was freed again, which is found and told as that.
fn is_misuse(memory: Memory<'_, '_>, block: Concerned) -> bool {
    memory.heap().misuse().any(|misuse| {
        let kinds = [MisuseKind::DoubleFree, MisuseKind::ReallocOfFreed];
        kinds.contains(&misuse.kind) && misuse.pointer == block.address
    })
}

fn finding(
    memory: Memory<'_, '_>,
    parameter: Parameter,
    is_pointer: bool,
    used: StaleUse,
) -> Finding {
    let StaleUse { context, instance, block, times } = used;
    let name = memory.subject.instance(instance).export_name(parameter.function);
    let passed = memory.stack(context);
    let freed = block.freed.map(|context| memory.stack(context)).unwrap_or_default();
    let often = if times == 1 { String::new() } else { format!(" {} times", count(times)) };
    let message = format!(
        "`{name}`{} was given{often} the address of a block of {} that had been freed{}: {:#x}",
        in_parentheses(&passed),
        bytes(block.size),
        in_parentheses(&freed),
        block.address,
    );
    let severity = if is_pointer { Severity::Error } else { Severity::Warning };
    Finding::new(Code::StalePointer)
        .severity(severity)
        .about(instance)
        .message(message)
        .number("address", block.address)
        .number("bytes", block.size)
        .number("times", times)
        .stack("passed", passed)
        .stack("freed", freed)
        .stack("allocated", memory.stack(block.allocated))
        .advice("Do not use an address after its block was freed; the memory may be another block's by then.")
}
