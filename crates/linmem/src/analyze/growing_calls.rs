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
        // With checks, freed blocks stay in the quarantine, and blocks have redzones.
        let is_of_checks = memory.users().any(|user| user.recorded().checked.is_some());
        let is_explained =
            called.in_allocator && blocks_tell_of_growths(memory) && (left == 0 || is_of_checks);
        if is_explained { None } else { finding(memory, called, calls, line, left) }
    });
    findings.collect()
}

/// Whether what the allocator grew the memory for are blocks that linmem sees.
fn blocks_tell_of_growths(memory: Memory<'_, '_>) -> bool {
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

#[cfg(test)]
mod tests {
    use crate::analyze::recording::Recording;
    use crate::report::{Code, Finding};
    use crate::trace::{HostRecord, HostStackId, Record};

    /// `make` is function 1.
    const WITH_MALLOC: &str = r#"(module (memory 2)
        (func (export "malloc") (param i32) (result i32)
          (drop (memory.grow (i32.const 1))) (i32.const 8))
        (func (export "make") (drop (call 0 (i32.const 8)))))"#;
    const WITHOUT: &str = r#"(module (memory 2) (func) (func (export "make")
        (drop (memory.grow (i32.const 1)))))"#;

    /// Sixteen calls of `make` from a line, each of which grows the memory; after each, `then` is told its number.
    fn sixteen_calls(module: &str, mut then: impl FnMut(&mut Recording, u64)) -> Recording {
        let mut recording = Recording::of(&[("a.wasm", module)], &["make"]);
        recording.host_stacks(&["app.mjs:5", "app.mjs:9"]);
        recording.instance(0);
        for number in 0..16 {
            recording.call(1, 1);
            recording.enter(1, Some(0));
            recording.grow(Some(2 + number), true, 0);
            recording.allocate(0x1000 * (1 + number), 8, 0);
            then(&mut recording, number);
        }
        recording
    }

    fn register(recording: &mut Recording, number: u64, line: u32) {
        let (address, stack) = (0x1000 * (1 + number), HostStackId(line));
        recording.0.record(&Record::Host(HostRecord::Registered { memory: 0, address, stack }));
    }

    fn unregister(recording: &mut Recording, number: u64) {
        let address = 0x1000 * (1 + number);
        recording.0.record(&Record::Host(HostRecord::Unregistered { memory: 0, address }));
    }

    fn found(recording: Recording) -> Option<Finding> {
        let findings = recording.finish().report().unwrap().findings;
        findings.into_iter().find(|finding| finding.code == Code::GrowsWithCalls)
    }

    #[test]
    fn blocks_explain_what_their_allocator_grew_the_memory_for() {
        assert_eq!(found(sixteen_calls(WITH_MALLOC, |_, _| {})), None);
        let finding = found(sixteen_calls(WITHOUT, |_, _| {})).unwrap();
        let message = "each of 16 calls of `make` (app.mjs:5) grew the memory by 1 page";
        assert_eq!((&*finding.message, finding.numbers["left_to_finalizers"]), (message, 0));
    }

    #[test]
    fn blocks_that_the_same_line_leaves_to_finalizers_explain_nothing() {
        let finding =
            found(sixteen_calls(WITH_MALLOC, |recording, n| register(recording, n, 0))).unwrap();
        let message = "each of 16 calls of `make` (app.mjs:5) grew the memory by 1 page; 16 objects made there were \
                       left to finalizers";
        assert_eq!((&*finding.message, finding.numbers["left_to_finalizers"]), (message, 16));
        assert!(finding.advice.starts_with("Free them in time by yourself"), "{}", finding.advice);
    }

    /// Freed blocks stay where they are for a while.
    #[test]
    fn what_grew_where_accesses_are_checked_tells_nothing_of_the_program() {
        let mut is_first = true;
        let recording = sixteen_calls(WITH_MALLOC, |recording, n| {
            if std::mem::take(&mut is_first) {
                recording.0.record(&Record::Checked { knows_heap: true });
            }
            register(recording, n, 0);
        });
        assert_eq!(found(recording), None);
    }

    #[test]
    fn one_object_left_to_a_finalizer_reads_so() {
        let finding = found(sixteen_calls(WITH_MALLOC, |recording, n| {
            register(recording, n, 0);
            if n > 0 {
                unregister(recording, n);
            }
        }));
        let finding = finding.unwrap();
        assert!(finding.message.ends_with("; 1 object made there was left to finalizers"));
        assert!(finding.advice.starts_with("Free it in time by yourself"), "{}", finding.advice);
    }

    #[test]
    fn what_other_lines_leave_to_finalizers_or_was_taken_back_tells_nothing() {
        let of_another_line = sixteen_calls(WITH_MALLOC, |recording, n| register(recording, n, 1));
        assert_eq!(found(of_another_line), None);
        let taken_back = sixteen_calls(WITH_MALLOC, |recording, n| {
            register(recording, n, 0);
            unregister(recording, n);
        });
        assert_eq!(found(taken_back), None);
    }

    /// The memory came to rest, though the objects wait for finalizers.
    #[test]
    fn calls_that_grow_the_memory_only_at_first_are_not_reported() {
        let mut recording = sixteen_calls(WITH_MALLOC, |recording, n| register(recording, n, 0));
        recording.call(1, 100);
        assert_eq!(found(recording), None);
    }
}
