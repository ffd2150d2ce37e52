//! Calls by the host that did not return, because a trap or an exception left them.

use std::collections::BTreeMap;

use crate::allocator::Effect;
use crate::language::{class_that_is_freed, is_of_class};
use crate::replay::unreturned_calls::{Argument, Unreturned};
use crate::report::{Code, Finding, Severity};
use crate::trace::ContextId;
use crate::units::{bytes, count};

use super::exports;
use super::lines::in_parentheses;
use super::refusals;
use super::subject::{Instance, Memory, Subject};
use super::unseen_events;

/// Places that are shown.
const MOST_PLACES: usize = 3;

/// Functions that end with the program, and need not return.
const ENTRY_POINTS: [&str; 5] = ["_start", "main", "_main", "__main_argc_argv", "__main_void"];

/// One finding for each function.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    subject.instances().flat_map(of_instance).collect()
}

/// The export that the host called where an event happened, if none of its calls returned.
pub(super) fn never_returned(memory: Memory<'_, '_>, context: ContextId) -> Option<String> {
    let (module, function) = exports::entered(memory, context)?;
    let users = memory.users().filter(|user| user.recorded().module == module);
    let left = users.flat_map(|user| user.recorded().not_returned.iter());
    let left: u64 = left.filter(|(of, ..)| *of == function).map(|(.., calls)| calls.times).sum();
    let name = memory.users().find(|user| user.recorded().module == module)?.export_name(function);
    let is_left = left > 0 && left >= exports::calls(memory, (module, function));
    Some(name).filter(|name| is_left && !ENTRY_POINTS.contains(&name.as_str()))
}

fn of_instance(instance: Instance<'_, '_>) -> Vec<Finding> {
    let mut of_function: BTreeMap<u32, BTreeMap<ContextId, Unreturned>> = BTreeMap::new();
    for (function, context, calls) in instance.recorded().not_returned.iter() {
        let places = of_function.entry(function).or_default();
        let place = instance.subject.place(context);
        match places.get_mut(&place) {
            Some(known) => {
                known.times += calls.times;
                known.stack_bytes = known.stack_bytes.saturating_add(calls.stack_bytes);
            }
            None => {
                places.insert(place, calls);
            }
        }
    }
    of_function
        .into_iter()
        .filter(|(function, _)| {
            let name = instance.export_name(*function);
            !ENTRY_POINTS.contains(&name.as_str())
        })
        .map(|(function, places)| {
            let mut places: Vec<_> = places.into_iter().collect();
            places.sort_by_key(|(_, calls)| std::cmp::Reverse(calls.times));
            finding(instance, function, &places)
        })
        .collect()
}

fn finding(
    instance: Instance<'_, '_>,
    function: u32,
    places: &[(ContextId, Unreturned)],
) -> Finding {
    let times: u64 = places.iter().map(|(_, calls)| calls.times).sum();
    let stack_bytes: u64 = places.iter().map(|(_, calls)| calls.stack_bytes).sum();
    let calls = instance.recorded().times(function).unwrap_or(times).max(times);
    let name = instance.export_name(function);
    let stack = |context| instance.subject.stack(context);
    let line = match places {
        [(only, _)] => in_parentheses(&stack(*only)),
        _ => String::new(),
    };
    let which = match (times, calls) {
        (1, 1) => format!("the only call of `{name}`{line}"),
        (1, _) => format!("one of {} calls of `{name}`{line}", count(calls)),
        _ if times == calls => format!("all {} calls of `{name}`{line}", count(calls)),
        _ => format!("{} of {} calls of `{name}`{line}", count(times), count(calls)),
    };
    let no_object = if frees_no_object(&name, places) {
        Some(NO_OBJECT_FREED)
    } else if calls_no_object(instance, &name, places) {
        Some(NO_OBJECT_CALLED)
    } else {
        None
    };
    let effect = effect(instance, function);
    // A function that allocates may stop the program for want of memory.
    let is_spoiled = effect == Some(Effect::Frees) && sees_no_misuse(instance);
    // What a call of the allocator's frees itself counts as freed by then.
    let mut others = places.iter().filter(|_| matches!(effect, None | Some(Effect::Allocates)));
    let suspicious = || others.find_map(|(_, calls)| suspicious(instance, function, calls));
    let spoiled = is_spoiled.then(|| SPOILED.to_owned());
    let argument = no_object.map(str::to_owned).or_else(suspicious).or(spoiled);
    let it = if times == 1 { "it" } else { "them" };
    let mut message = format!("{which} did not return: a trap or an exception left {it}");
    if stack_bytes > 0 {
        message = format!("{message}, and {}", lost_stack(instance, times, stack_bytes));
    }
    let is_grave = stack_bytes > 0 || argument.is_some();
    if let Some(argument) = argument {
        message = format!("{message}; {argument}");
    }
    let uncaught = instance.subject.replay.host.uncaught.as_ref();
    if let Some(words) = uncaught.filter(|words| !refusals::say(instance.subject, words)) {
        message = format!("{message}. Nobody caught the last exception of the program: {words}");
    }
    let finding = Finding::new(Code::NotReturned)
        .severity(if is_grave { Severity::Warning } else { Severity::Note })
        .about(instance.number)
        .message(message)
        .number("times", times)
        .number("calls", calls)
        .number("stack_bytes", stack_bytes)
        .advice(if no_object.is_some() {
            "Use no object any more that was freed, or that a function has taken over."
        } else if is_spoiled {
            "Have each access checked to see what wrote there (--check)."
        } else if stack_bytes > 0 {
            "Let the exception end inside the module, or put the stack pointer back after it: each such call leaves \
             less stack to those that follow."
        } else {
            "What such a call was about to free or to put in order is left as it was."
        });
    places.iter().take(MOST_PLACES).fold(finding, |finding, (context, calls)| {
        let often = if calls.times == 1 {
            "called".to_owned()
        } else {
            format!("called {} times", count(calls.times))
        };
        finding.stack(often, stack(*context))
    })
}

/// Said of a call of wasm-bindgen's that frees an object.
const NO_OBJECT_FREED: &str =
    "the object had been freed, or given to a function that takes it over: its pointer was 0";

/// The same of a method's.
const NO_OBJECT_CALLED: &str = "the pointer that it was passed first was 0, as is that of an object that was freed, or \
                                given to a function that takes it over";

/// Said of a call of the allocator's.
const SPOILED: &str = "it is the allocator's, and no misuse of blocks was seen: what it keeps beside them has probably been \
                       written over";

/// What a function does to the heap, if it is the allocator's.
fn effect(instance: Instance<'_, '_>, function: u32) -> Option<Effect> {
    let functions = &instance.facts().recorded.allocator.functions;
    let hooked = functions.iter().find(|hooked| hooked.function == function)?;
    Some(hooked.role.effect())
}

/// Whether all that the allocator of an instance does was seen, and no misuse.
fn sees_no_misuse(instance: Instance<'_, '_>) -> bool {
    instance.subject.memories().any(|memory| {
        memory.users().any(|user| user.number == instance.number)
            && unseen_events::reason(memory).is_none()
            && memory.heap().misuse().next().is_none()
    })
}

/// Whether all these calls are wasm-bindgen's, that free an object which has no pointer any more: JavaScript sets it to 0 when
/// the object is freed or given away.
fn frees_no_object(name: &str, places: &[(ContextId, Unreturned)]) -> bool {
    class_that_is_freed(name).is_some()
        && places.iter().all(|(_, calls)| calls.passed[0].value == 0)
}

/// Whether all these calls are of a method of wasm-bindgen's without a pointer to its object, which comes first, or behind the
/// address on the stack that results are stored at.
fn calls_no_object(
    instance: Instance<'_, '_>,
    name: &str,
    places: &[(ContextId, Unreturned)],
) -> bool {
    let stack = instance.facts().premises.memory_map.stack.map(|stack| stack.range);
    let is_on_stack =
        |address: u64| stack.is_some_and(|range| (range.start..range.end).contains(&address));
    let has_none = |calls: &Unreturned| {
        let [first, second, ..] = &calls.passed;
        first.value == 0 || second.value == 0 && is_on_stack(first.value)
    };
    is_of_class(instance.module(), name) && places.iter().all(|(_, calls)| has_none(calls))
}

/// What calls have left behind of the C stack, in words.
fn lost_stack(instance: Instance<'_, '_>, times: u64, in_all: u64) -> String {
    // What is assumed of the stack can be wrong.
    let size = stack_size(instance).filter(|size| *size >= in_all);
    let of = size.map_or_else(String::new, |size| format!(" of {}", count(size)));
    match times {
        1 => format!("{}{of} of the C stack are lost with it", bytes(in_all)),
        _ if in_all.is_multiple_of(times) => {
            format!(
                "each lost {} of the C stack: {} in all{of}",
                bytes(in_all / times),
                count(in_all)
            )
        }
        _ => format!("{}{of} of the C stack are lost with them", bytes(in_all)),
    }
}

/// Bytes of the C stack, where that is known.
fn stack_size(instance: Instance<'_, '_>) -> Option<u64> {
    let stack = instance.facts().premises.memory_map.stack?;
    Some(stack.range.end.saturating_sub(stack.range.start))
}

/// What is wrong with an argument of the first of these calls, in words.
fn suspicious(instance: Instance<'_, '_>, function: u32, calls: &Unreturned) -> Option<String> {
    let mut numbered = calls.passed.iter().zip(1..);
    let (words, number) =
        numbered.find_map(|(argument, number)| Some((in_words(argument)?, number)))?;
    let takes = instance.module().function_type(function).map_or(0, |ty| ty.params().len());
    let which =
        if takes == 1 { "its argument".to_owned() } else { format!("its argument {number}") };
    Some(format!("{which} was {words}"))
}

fn in_words(argument: &Argument) -> Option<String> {
    let value = argument.value;
    match (argument.freed, argument.is_outside) {
        (Some(block), _) if value >= 1024 => Some(format!(
            "{value:#x}, the address of a block of {} that had been freed",
            bytes(block.size)
        )),
        (_, true) => Some(format!("{value:#x}, which is past the end of the memory")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::analyze::recording::Recording;
    use crate::report::Code;
    use crate::trace::{HostStackId, NotReturned, Record};

    /// What is said of a call of this export with this first argument that did not return.
    fn told(export: &str, argument: u64) -> (String, String) {
        let module = format!(r#"(module (memory 2) (func (export "{export}") (param i32 i32)))"#);
        told_in(&module, argument)
    }

    /// The same of a call of the first function of this module.
    fn told_in(module: &str, argument: u64) -> (String, String) {
        let mut recording = Recording::of(&[("a.wasm", module)], &["work"]);
        recording.host_stacks(&["app.mjs:9"]);
        recording.instance(0);
        recording.call(0, 1);
        let passed = [argument, 0, 0, 0];
        let caller = Some(HostStackId(0));
        let not_returned = NotReturned { function: 0, caller, stack_bytes: 16, passed };
        recording.0.record(&Record::NotReturned(not_returned));
        let mut findings = recording.finish().report().unwrap().findings.into_iter();
        let finding = findings.find(|finding| finding.code == Code::NotReturned).unwrap();
        (finding.message, finding.advice)
    }

    /// How large the stack is can be an assumption, which more bytes that were lost disprove.
    #[test]
    fn no_more_of_the_stack_is_lost_than_there_is() {
        let told = |stack_bytes: u64| {
            let module = r#"(module (memory 2) (func (export "parse") (param i32 i32))
                 (global $__stack_pointer (mut i32) (i32.const 65536)))"#;
            let mut recording = Recording::of(&[("a.wasm", module)], &["work"]);
            recording.instance(0);
            for _ in 0..2 {
                let (function, caller, passed) = (0, None, [0; 4]);
                let call = NotReturned { function, caller, stack_bytes, passed };
                recording.0.record(&Record::NotReturned(call));
            }
            let report = recording.finish().report().unwrap();
            report.findings.iter().find(|f| f.code == Code::NotReturned).unwrap().message.clone()
        };
        assert!(told(32_768).ends_with("32,768 bytes of the C stack: 65,536 in all of 65,536"));
        assert!(told(32_769).ends_with("32,769 bytes of the C stack: 65,538 in all"));
    }

    /// What they allocated could not be freed at the end of the call.
    #[test]
    fn what_is_lost_in_calls_that_never_return_is_lost_with_these() {
        let told = |left: u64| {
            let module = r#"(module (memory 2) (func (export "parse") (param i32 i32))
                (func (export "malloc") (param i32) (result i32) unreachable)
                (func (export "free") (param i32)))"#;
            let mut recording = Recording::of(&[("a.wasm", module)], &["malloc"]);
            recording.host_stacks(&["app.mjs:9"]);
            recording.instance(0);
            recording.call(0, 3);
            recording.enter(0, Some(0));
            for call in 0..3 {
                recording.allocate(0x1000 + 16 * call, 16, 0);
                if call < left {
                    let (function, caller, passed) = (0, Some(HostStackId(0)), [0; 4]);
                    let call = NotReturned { function, caller, stack_bytes: 0, passed };
                    recording.0.record(&Record::NotReturned(call));
                }
            }
            recording.snapshot(0);
            let report = recording.finish().report().unwrap();
            let lost = report.findings.iter().find(|f| f.code == Code::LeakDefinite).unwrap();
            let is_said =
                lost.message.ends_with(", allocated in calls of `parse` that did not return");
            assert_eq!(lost.advice.contains("look at why it did not return"), is_said, "{report}");
            is_said
        };
        assert_eq!([3, 2, 0].map(told), [true, false, false]);
    }

    /// The block that a call of `free` frees is not one that was freed before it.
    #[test]
    fn a_trap_of_the_allocator_without_misuse_means_that_something_was_written_over() {
        let told = |misuse: bool| {
            let module = r#"(module (memory 2) (func (export "free") (param i32))
                 (func (export "malloc") (param i32) (result i32) unreachable))"#;
            let mut recording = Recording::of(&[("a.wasm", module)], &["work"]);
            recording.host_stacks(&["app.mjs:9"]);
            recording.instance(0);
            recording.enter(0, Some(0));
            recording.allocate(0x1000, 16, 0);
            (0..1 + u32::from(misuse)).for_each(|_| recording.free(0x1000));
            recording.call(0, 1);
            let caller = Some(HostStackId(0));
            let passed = [0x1000, 0, 0, 0];
            let not_returned = NotReturned { function: 0, caller, stack_bytes: 0, passed };
            recording.0.record(&Record::NotReturned(not_returned));
            recording.snapshot(0);
            let mut findings = recording.finish().report().unwrap().findings.into_iter();
            let finding = findings.find(|finding| finding.code == Code::NotReturned).unwrap();
            assert!(!finding.message.contains("had been freed"), "{}", finding.message);
            finding.message.contains("written over") && finding.advice.contains("--check")
        };
        assert_eq!([false, true].map(told), [true, false]);
    }

    /// A method of `Table`, whose object's pointer is 0; a function of no class, which may be passed 0.
    #[test]
    fn a_method_of_an_object_that_was_freed_gets_no_pointer() {
        let module = |export| {
            format!(
                r#"(module (memory 2) (func (export "{export}") (param i32 i32)) (func (export "__wbg_table_free") (param i32)))"#
            )
        };
        let is_told = |export, argument| {
            let (message, advice) = told_in(&module(export), argument);
            message.contains("the pointer that it was passed first was 0")
                && advice.starts_with("Use no object any more")
        };
        assert!(is_told("table_size", 0));
        assert!(!is_told("table_size", 4096), "there is an object");
        assert!(!is_told("table_new", 0), "the object is made");
        assert!(!is_told("size", 0), "a function of no class");
    }

    #[test]
    fn an_object_that_was_given_away_has_no_pointer() {
        let (message, advice) = told("__wbg_table_free", 0);
        let what = "; the object had been freed, or given to a function that takes it over: its pointer was 0";
        assert!(message.ends_with(what), "{message}");
        assert!(advice.starts_with("Use no object any more"), "{advice}");
        for (export, argument) in [("__wbg_table_free", 4096), ("table_free", 0)] {
            let (message, advice) = told(export, argument);
            assert!(
                !message.contains("object") && advice.contains("stack pointer"),
                "{message} {advice}"
            );
        }
    }
}
