//! Memories and instances that the engine refused the program, and what was alive then. Instances that pile up end so:
//! this says it in one finding, with where they were made.

use crate::module::PAGE_BYTES;
use crate::replay::Refusal;
use crate::report::{Code, Finding, Severity};
use crate::trace::Refused;
use crate::units::{bytes, count, number_of, pages, times};

use super::lines::nearest_line;
use super::made::Made;
use super::subject::Subject;

/// Memories from which on it is their number that uses up the addresses, not the size of one.
const MANY_MEMORIES: u64 = 16;

/// Places that are shown of each kind.
const MOST_PLACES: usize = 3;

/// One finding for each module that was refused instances or their memory, and one for memories alone.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    let mut groups: Vec<Vec<&Refusal>> = Vec::new();
    for refusal in &subject.replay.host.refusals {
        match groups.iter_mut().find(|group| kind(group[0]) == kind(refusal)) {
            Some(group) => group.push(refusal),
            None => groups.push(vec![refusal]),
        }
    }
    groups.iter().map(|group| finding(subject, group)).collect()
}

/// Whether memories that pile up explain a refusal: then nothing else has to be said of many instances.
pub(super) fn are_of_many(subject: &Subject<'_, '_>) -> bool {
    subject.replay.host.refusals.iter().any(|refusal| wants_memory(refusal) && is_of_many(refusal))
}

/// Whether an exception of these words says that the engine refused something.
pub(super) fn say(subject: &Subject<'_, '_>, words: &str) -> bool {
    subject.replay.host.refusals.iter().any(|refusal| refusal.text == words)
}

/// What a program has to know first, in a few sentences.
pub(super) fn answer(findings: &[Finding]) -> Option<String> {
    let refused = findings.iter().find(|finding| {
        finding.code == Code::MemoryRefused && finding.severity == Severity::Error
    })?;
    Some(format!("{} {}", super::sentence(&refused.message), refused.advice))
}

fn kind(refusal: &Refusal) -> (bool, Option<usize>) {
    (wants_memory(refusal), refusal.module)
}

fn wants_memory(refusal: &Refusal) -> bool {
    refusal.what != Refused::Instance
}

fn is_of_many(refusal: &Refusal) -> bool {
    refusal.alive.memories >= MANY_MEMORIES
}

fn finding(subject: &Subject<'_, '_>, group: &[&Refusal]) -> Finding {
    let first = group[0];
    let in_all = group.iter().map(|refusal| refusal.times).fold(0, u64::saturating_add);
    let uncaught = subject.replay.host.uncaught.as_ref();
    let is_uncaught = group.iter().any(|refusal| uncaught == Some(&refusal.text));
    let what = what_was_refused(subject, first, in_all);
    let stack = subject.outside(first.context);
    let line = nearest_line(&stack).map(|line| format!(" ({line})")).unwrap_or_default();
    let top = if is_uncaught { ", which nobody caught" } else { "" };
    let said = format!("{what}{line}: {}{top}", first.text);
    let finding = if wants_memory(first) {
        of_memory(subject, first, &said, is_uncaught)
    } else {
        let severity = if is_uncaught { Severity::Warning } else { Severity::Note };
        Finding::new(Code::NotInstantiated).severity(severity).message(said).advice(
            "The engine's words say why: an import that does not fit, or a start function that \
             failed.",
        )
    };
    let mut instances = subject.replay.instances.iter();
    let about = instances.position(|instance| Some(instance.module) == first.module);
    let finding = finding.about(about.unwrap_or(0)).number("times", in_all);
    group.iter().take(MOST_PLACES).fold(finding, |finding, refusal| {
        let label = format!("refused {}", times(refusal.times));
        finding.stack(label, subject.outside(refusal.context))
    })
}

fn what_was_refused(subject: &Subject<'_, '_>, refusal: &Refusal, in_all: u64) -> String {
    let module = refusal.module.map(|module| &*subject.replay.modules[module].name);
    match (module, in_all) {
        (None, 1) => "the engine refused the program a memory".to_owned(),
        (None, _) => format!("the engine refused the program {}", number_of(in_all, "memory")),
        (Some(module), 1) => format!("the engine refused an instance of {module}"),
        (Some(module), _) => {
            format!("the engine refused {} of {module}", number_of(in_all, "instance"))
        }
    }
}

fn of_memory(
    subject: &Subject<'_, '_>,
    refusal: &Refusal,
    said: &str,
    is_uncaught: bool,
) -> Finding {
    let alive = &refusal.alive;
    let all: Vec<usize> = (0..subject.replay.instances.len()).collect();
    let made = Made::of(subject, &all);
    let message = match alive.memories {
        0 => said.to_owned(),
        memories => format!(
            "{said}; {} alive then, with {} ({}) in all{}",
            are(memories, "memory"),
            pages(alive.pages),
            bytes(alive.pages.saturating_mul(PAGE_BYTES)),
            instances(&made),
        ),
    };
    let is_of_many = is_of_many(refusal);
    let severity = if is_of_many || is_uncaught { Severity::Error } else { Severity::Note };
    let finding = Finding::new(Code::MemoryRefused)
        .severity(severity)
        .message(message)
        .number("instances", alive.instances)
        .number("memories", alive.memories)
        .number("pages", alive.pages)
        .number("instances_made", made.instances)
        .advice(if is_of_many {
            "Engines reserve addresses for each memory, about 10 GiB however small it is, so only so many fit: make one \
             instance and call it again, or drop every reference to those that are done."
        } else {
            "Ask for fewer pages, or for a smaller maximum: engines reserve the addresses for it."
        });
    let places = made.places.into_iter().take(if is_of_many { MOST_PLACES } else { 0 });
    places.fold(finding, |finding, (stack, made)| {
        finding.stack(format!("instances made {}", times(made)), stack)
    })
}

/// What the program had made, after the memories.
fn instances(made: &Made) -> String {
    if made.instances == 0 {
        return String::new();
    }
    let most = made.most().map(|most| format!(", {most}")).unwrap_or_default();
    format!("; the program made {}{most}", number_of(made.instances, "instance"))
}

fn are(number: u64, noun: &str) -> String {
    match number {
        1 => format!("{} {noun} was", count(1)),
        _ => format!("{} were", number_of(number, noun)),
    }
}
