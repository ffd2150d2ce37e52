//! Exported functions whose calls keep growing the memory, where blocks tell nothing of it: the module has
//! no allocator that is known, or not all of it was seen, or the growths are not its allocator's; or the line that calls
//! them leaves to finalizers what it makes, so that the blocks are freed, but late.

use crate::replay::calls_that_grew::{CalledFunction, OfFunction};
use crate::report::{Code, Finding, Remedy};
use crate::trace::ContextId;
use crate::units::{self, count, number_of, pages};

use super::lines::user_line;
use super::subject::{Instance, Memory, Subject};
use super::unseen_events;

/// Fewer calls than this say nothing of those that will follow: each may have had more to do than the last.
const FEWEST_CALLS: usize = 8;

/// Places that are shown.
const MOST_PLACES: usize = 3;

/// One finding for each such function of an instance.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    subject.memories().flat_map(of_memory).collect()
}

fn of_memory(memory: Memory<'_, '_>) -> Vec<Finding> {
    let left = memory.left_to_finalizers();
    let all = memory.recorded().growing_calls.iter();
    let findings = all.filter_map(|(called, calls)| {
        let line = only_line(memory, calls);
        let left = line.as_ref().and_then(|_| left.get(&line)).map_or(0, |(objects, _)| *objects);
        let is_explained = called.in_allocator && sees_blocks(memory) && left == 0;
        if is_explained { None } else { finding(memory, called, calls, line, left) }
    });
    findings.collect()
}

/// Whether blocks account for what the allocator asks for.
fn sees_blocks(memory: Memory<'_, '_>) -> bool {
    memory.modules().iter().any(|facts| !facts.coverage.hooked.is_empty())
        && unseen_events::reason(memory).is_none()
}

fn finding(
    memory: Memory<'_, '_>,
    called: CalledFunction,
    of: &OfFunction,
    line: Option<String>,
    left: u64,
) -> Option<Finding> {
    let instance = memory.users().find(|user| user.number == called.instance)?;
    let times = instance.recorded().times(called.function)?;
    if !keeps_growing(&of.calls, times) {
        return None;
    }
    let in_all = of.pages();
    let places = places(memory, of);
    let grew = of.calls.len() as u64;
    let name = instance.export_name(called.function);
    let mut message = message(&name, line, &of.calls, times, in_all);
    let advice = if left == 0 {
        format!(
            "Look for what a call of `{name}` keeps and nobody gives back: a block that the caller has to free, an \
             object that has to be deleted."
        )
    } else {
        let one = left == 1;
        let (were, them) = if one { ("was", "it") } else { ("were", "them") };
        message += &format!("; {} made there {were} left to finalizers", number_of(left, "object"));
        format!(
            "Free {them} in time by yourself: when finalizers run is up to the engine, which does not know how much \
             memory there is behind an object."
        )
    };
    let finding = Finding::new(Code::GrowsWithCalls)
        .about(called.instance)
        .message(message)
        .number("calls", times)
        .number("calls_that_grew", grew)
        .number("pages", in_all)
        .number("left_to_finalizers", left)
        .advice(advice);
    let finding = match has_allocator(instance) {
        true => finding,
        false => finding.remedy(Remedy::NameAllocatorFunctions),
    };
    let more = places.len().saturating_sub(MOST_PLACES);
    let shown = places.into_iter().take(MOST_PLACES).enumerate();
    Some(shown.fold(finding, |finding, (index, (context, growths))| {
        let of_more = if index + 1 == MOST_PLACES && more > 0 {
            format!("; {} more places are not shown", count(more as u64))
        } else {
            String::new()
        };
        finding.stack(format!("grew {}{of_more}", units::times(growths)), memory.stack(context))
    }))
}

fn has_allocator(instance: Instance<'_, '_>) -> bool {
    !instance.facts().coverage.hooked.is_empty()
}

/// Whether calls go on adding pages: many did, and not only the first of them.
pub(super) fn keeps_growing(calls: &[(u64, u64)], times: u64) -> bool {
    let late = calls.iter().filter(|(nth, _)| *nth > times / 2).count();
    calls.len() >= FEWEST_CALLS && late >= calls.len() / 4
}

/// Where it grew, by what people see of the stacks, most growths first.
fn places(memory: Memory<'_, '_>, of: &OfFunction) -> Vec<(ContextId, u64)> {
    let mut places: Vec<(ContextId, u64)> = Vec::new();
    for &(context, growths) in &of.places {
        let place = memory.place(context);
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, sum)) => *sum += growths,
            None => places.push((place, growths)),
        }
    }
    places.sort_by_key(|&(_, growths)| std::cmp::Reverse(growths));
    places
}

/// The line that made all the calls, if there is one that made them all.
fn only_line(memory: Memory<'_, '_>, of: &OfFunction) -> Option<String> {
    let mut lines = of.places.iter().filter(|(context, _)| memory.is_looked_at(*context));
    let line_of = |context| user_line(&memory.subject.outside(context)).map(str::to_owned);
    let first = line_of(lines.next()?.0)?;
    lines.all(|(context, _)| line_of(*context).as_ref() == Some(&first)).then_some(first)
}

fn message(
    name: &str,
    line: Option<String>,
    calls: &[(u64, u64)],
    times: u64,
    in_all: u64,
) -> String {
    let line = line.map_or_else(String::new, |line| format!(" ({line})"));
    let each = calls[0].1;
    let grew = calls.len() as u64;
    let are_equal = calls.iter().all(|(_, pages)| *pages == each);
    match (grew == times, are_equal) {
        (true, true) => {
            format!(
                "each of {} calls of `{name}`{line} grew the memory by {}",
                count(times),
                pages(each)
            )
        }
        (true, false) => format!(
            "each of {} calls of `{name}`{line} grew the memory, by {} in all",
            count(times),
            pages(in_all)
        ),
        (false, _) => format!(
            "{} of {} calls of `{name}`{line} grew the memory, by {} in all, the last at call {}",
            count(grew),
            count(times),
            pages(in_all),
            count(calls[calls.len() - 1].0),
        ),
    }
}
