//! Blocks of a library's own that are there once: what it keeps from its start or its first use, and what it loses at
//! its start; and what constructors of static objects leave to the host, as embind's do, in any module. Whether one more
//! call leaves one more block cannot be told from one call.

use crate::replay::heap::Held;
use crate::report::{Code, Finding, Severity};
use crate::trace::ContextId;

use super::super::exports;
use super::super::lines::{begins_in_library, user_line};
use super::super::subject::Memory;
use super::findings::{
    GroupOf, Groups, finding_of_all, indirect_numbers, indirect_of, more_hang_on_these, them,
    with_others,
};
use super::{Holder, Kind, sum_of};

pub(super) const ADVICE: &str = "Whether one more call keeps or loses one more block cannot be told from one call: if so, it is a leak.";

/// Those that are there once, and the others. What the same call from the same line has left more often is not there once: the
/// first call may go through a function of Emscripten's glue that replaces itself.
pub(super) fn partition<'g>(
    memory: Memory<'_, '_>,
    groups: Vec<GroupOf<'g>>,
) -> (Vec<GroupOf<'g>>, Vec<GroupOf<'g>>) {
    let call = |&((kind, context), _): &GroupOf<'_>| {
        let line = user_line(&memory.subject.outside(*context)).map(str::to_owned)?;
        Some((*kind, exports::entered(memory, *context)?, line))
    };
    let are_once: Vec<bool> = groups.iter().map(|group| is_once(memory, group)).collect();
    let others = groups.iter().zip(&are_once).filter(|(_, is_once)| !**is_once);
    let repeated: Vec<_> = others.filter_map(|(group, _)| call(group)).collect();
    let is_repeated =
        |group: &GroupOf<'_>| call(group).is_some_and(|call| repeated.contains(&call));
    let mut are_once = are_once.into_iter();
    groups.into_iter().partition(|group| are_once.next() == Some(true) && !is_repeated(group))
}

/// Whether a library allocated the blocks once, as far as one can tell: one block from its own code, or some that it
/// allocated at the beginning and no more since. Of what it may have lost, only a few blocks of the beginning count, or of the
/// first call.
fn is_once(memory: Memory<'_, '_>, group: &GroupOf<'_>) -> bool {
    let ((kind, context), group) = *group;
    let may_be_lost = match kind {
        Kind::HostHeld(Holder::LedTo(_)) => return false,
        Kind::HostHeld(_) => false,
        Kind::Definite | Kind::Emptied => true,
        _ => return false,
    };
    if !may_be_lost && is_of_constructors(memory, *context) {
        return true;
    }
    let stack = memory.subject.outside(*context);
    let totals = memory.heap().totals();
    let allocations = totals.allocations + totals.reallocations;
    // A library's own start, or one that the program asks for.
    let beginning = if user_line(&stack).is_none() { allocations / 2 } else { allocations / 4 };
    let (is_one, is_early) = (group.held.blocks == 1, group.last <= beginning);
    let calls = calls(memory, *context);
    let blocks = group.held.blocks;
    let is_first = |serial| {
        let entered = exports::entered(memory, *context);
        entered.is_some_and(|entered| is_of_first_call(memory, entered, serial))
    };
    let are_few = is_early && (is_one || blocks <= calls / CALLS_FOR_EACH)
        || blocks < FEWEST_OF_LOOP && is_first(group.last);
    begins_in_library(&stack) && if may_be_lost { are_few } else { is_one || is_early }
}

/// Whether the host had not entered a function again when it made this allocation.
pub(super) fn is_of_first_call(
    memory: Memory<'_, '_>,
    (module, function): (usize, u32),
    serial: u64,
) -> bool {
    let mut users = memory.users().map(|user| user.recorded());
    users.all(|user| user.module != module || user.is_of_first_entry(function, serial))
}

/// A library that loses less than one block in so many calls, and none later, loses it at its first use.
const CALLS_FOR_EACH: u64 = 8;

/// As many blocks as one call of a library loses in a loop, and not here and there.
pub(super) const FEWEST_OF_LOOP: u64 = 8;

/// How often the host called the function that it had entered there.
pub(super) fn calls(memory: Memory<'_, '_>, context: ContextId) -> u64 {
    exports::entered(memory, context).map_or(0, |entered| exports::calls(memory, entered))
}

/// Whether the host called the module's constructors there: a function without parameters and results, once, and before any
/// other that is not like that.
fn is_of_constructors(memory: Memory<'_, '_>, context: ContextId) -> bool {
    let Some((module, function)) = exports::entered(memory, context) else { return false };
    memory.users().filter(|user| user.recorded().module == module).all(|user| {
        let is_plain = |function: u32| {
            let ty = user.module().function_type(function);
            ty.is_some_and(|ty| ty.params().is_empty() && ty.results().is_empty())
        };
        let calls = &user.recorded().calls;
        let beginning = calls.iter().take_while(|&&(f, times)| times == 1 && is_plain(f));
        let constructors: Vec<u32> = beginning.map(|(function, _)| *function).collect();
        constructors.contains(&function) && constructors.len() < calls.len()
    })
}

/// One note for those that something may point to.
///
/// `led_to` is what only they lead to.
pub(super) fn kept_finding(
    memory: Memory<'_, '_>,
    kept: &Groups<'_>,
    led_to: Held,
) -> Option<Finding> {
    let what =
        "kept once: a library allocated them at its start or at its first use, and no more since";
    let mut finding = finding_of_all(Code::KeptOnce, memory, kept, what)?;
    if led_to.blocks > 0 {
        finding.message += &more_hang_on_these(led_to);
        finding = indirect_numbers(finding, led_to);
    }
    Some(finding.advice(ADVICE))
}

/// One note for those that nothing points to, with what hangs on them.
pub(super) fn lost_finding(memory: Memory<'_, '_>, lost: &Groups<'_>) -> Option<Finding> {
    let held = sum_of(lost.iter().map(|(_, group)| *group));
    let what = format!(
        "lost at a library's start or in a first call: nothing points to {} any more{}",
        them(held),
        with_others(held, indirect_of(lost))
    );
    let finding = finding_of_all(Code::LeakDefinite, memory, lost, &what)?;
    let finding = finding.severity(Severity::Note).advice(ADVICE);
    Some(indirect_numbers(finding, indirect_of(lost)))
}
