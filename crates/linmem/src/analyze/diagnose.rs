//! What the sizes mean that a program read of its memories: whether it watched the memory that did
//! the work, and at the right time. Needs a recording of a host that tells its size reads.

use std::collections::{BTreeMap, BTreeSet};

use crate::module::PAGE_BYTES;
use crate::replay::{RecordedInstance, Replay, SizeRead, SizeReads};
use crate::report::{Code, Finding, LabelledStack, Severity, Stack};
use crate::trace::ContextId;
use crate::trace::SizeReadBy;
use crate::units::{bytes, count, number_of, pages};

/// Instances of one module from which on each call seems to have one of its own.
const MANY_INSTANCES: usize = 5;

/// All size reads of one memory.
struct Watched<'a> {
    memory: u64,
    reads: &'a SizeReads,
    /// The instances that use it.
    users: Vec<usize>,
}

impl Watched<'_> {
    /// Calls of the exports of the instances that use the memory, from the first read to the last.
    fn calls_between(&self) -> u64 {
        self.reads.last.calls_before.saturating_sub(self.reads.first.calls_before)
    }
}

/// Explains the sizes that a program read. `stack` turns a context into a stack.
pub fn findings(replay: &Replay, stack: impl Fn(ContextId) -> Stack) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(stale_views(replay, &stack));
    for watched in watched(replay) {
        findings.extend(disagreement(&watched, &stack));
        findings.extend(explain(replay, &watched, &stack));
        findings.extend(watched.users.iter().filter_map(|&user| grown_and_held(replay, user)));
    }
    findings.extend(instances_per_call(replay));
    findings
}

/// The findings in plain words: what a person would say who was asked for the answer.
pub fn answer(replay: &Replay, findings: &[Finding]) -> Option<String> {
    let explains = |finding: &&Finding| {
        matches!(
            finding.code,
            Code::WatchedIdleInstance
                | Code::MeasuredTooEarly
                | Code::ForeignMemory
                | Code::StaleView
                | Code::NullIgnored
                | Code::RoomToSpare
                | Code::Reused
                | Code::GrewAndHeld
                | Code::InstancePerCall
        )
    };
    let reads = replay.host.size_reads_in_all;
    let main = findings.iter().filter(explains).min_by_key(|finding| finding.severity)?;
    if reads == 0 && main.code != Code::StaleView {
        return None;
    }
    let mut sentences = vec![sentence(&main.message), main.advice.clone()];
    let leak = |finding: &&Finding| finding.code.is_leak() && finding.instance == main.instance;
    if let (Severity::Note, Some(leak)) = (main.severity, findings.iter().find(leak)) {
        sentences.push(format!("Here they show one: {}.", leak.message));
    }
    if reads > 0 && !findings.iter().any(|finding| finding.code == Code::WitnessesDisagree) {
        sentences.push(format!(
            "All {} that the program read, {}, agree with the growths recorded, and no instruction \
             makes a memory smaller.",
            number_of(reads, "size"),
            witnesses(replay),
        ));
    }
    Some(sentences.join(" "))
}

/// How the program asked for sizes, in words.
fn witnesses(replay: &Replay) -> String {
    let ways = [
        (SizeReadBy::HostView, "by the buffer's length"),
        (SizeReadBy::GrowZero, "by memory.grow(0)"),
        (SizeReadBy::Instruction, "by memory.size in the module"),
    ];
    let is_used = |by| replay.host.size_reads.values().any(|reads| reads.ways.contains(by));
    let words: Vec<&str> =
        ways.iter().filter(|(by, _)| is_used(by)).map(|(_, words)| *words).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

fn watched(replay: &Replay) -> Vec<Watched<'_>> {
    let watched = replay.host.size_reads.iter().map(|(&memory, reads)| {
        let users = replay.users(memory);
        Watched { memory, reads, users }
    });
    // One look is not a measurement.
    watched.filter(|watched| watched.reads.count > 1).collect()
}

/// Why the sizes were what they were.
fn explain(
    replay: &Replay,
    watched: &Watched<'_>,
    stack: &impl Fn(ContextId) -> Stack,
) -> Option<Finding> {
    let SizeReads { first, last, .. } = watched.reads;
    let between = last.allocations_before - first.allocations_before;
    let others = others_at_work(replay, watched, first);
    let Some(&instance) = watched.users.first() else {
        return (!others.is_empty()).then(|| foreign_memory(replay, watched, &others, stack));
    };
    let in_all: u64 = watched.users.iter().map(|&user| allocations(&replay.instances[user])).sum();
    if between == 0 && in_all > last.allocations_before {
        return Some(too_early(watched, instance, in_all - last.allocations_before, stack));
    }
    if between == 0 && !others.is_empty() {
        return Some(idle_instance(replay, watched, instance, &others, stack));
    }
    if between == 0 || first.pages != last.pages {
        return None;
    }
    Some(no_growth_needed(replay, watched, instance, between))
}

/// Instances that do not use the watched memory, and allocated after it was first read.
fn others_at_work(replay: &Replay, watched: &Watched<'_>, first: &SizeRead) -> Vec<usize> {
    let module = watched.users.first().map(|&user| replay.instances[user].module);
    let worked = |(number, instance): &(usize, &RecordedInstance)| {
        let same_module = module.is_none_or(|module| module == instance.module);
        let later = instance.active.is_some_and(|(_, last)| last > first.events_before);
        same_module && later && allocations(instance) > 0 && !watched.users.contains(number)
    };
    replay.instances.iter().enumerate().filter(worked).map(|(number, _)| number).collect()
}

fn allocations(instance: &RecordedInstance) -> u64 {
    instance.heap.totals().allocations
}

fn idle_instance(
    replay: &Replay,
    watched: &Watched<'_>,
    instance: usize,
    others: &[usize],
    stack: &impl Fn(ContextId) -> Stack,
) -> Finding {
    let last = watched.reads.last.events_before;
    let late = others
        .iter()
        .filter(|&&other| replay.instances[other].active.is_some_and(|(start, _)| start > last));
    let when = match late.count() {
        0 => "",
        all if all == others.len() => ", all of it after the last reading",
        _ => ", part of it after the last reading",
    };
    let calls = watched.calls_between();
    let unseen = watched.users.iter().any(|&user| replay.instances[user].functions_taken);
    let did = match calls {
        _ if unseen => "allocated nothing between the readings".to_owned(),
        0 => "was not called and allocated nothing between the readings".to_owned(),
        _ => format!("was called {} between the readings and allocated nothing", times(calls)),
    };
    let message = format!(
        "the memory whose size was read {} belongs to instance {instance}, which {did}; the work was \
         done in {}{when}",
        times(watched.reads.count),
        work_of(replay, others),
    );
    Finding {
        code: Code::WatchedIdleInstance,
        severity: Severity::Warning,
        instance,
        message,
        numbers: numbers(&[
            ("readings", watched.reads.count),
            ("calls_between", calls),
            ("other_instances", others.len() as u64),
            ("their_allocations", others.iter().map(|&o| allocations(&replay.instances[o])).sum()),
        ]),
        stacks: vec![
            labelled("read", stack(watched.reads.first.context)),
            created(replay, others[0], stack),
        ],
        advice: "Await the work, and let it use the instance whose memory you measure.".to_owned(),
    }
}

/// What instances did, as in "instances 9 to 25 of a.wasm: 17 allocations, ...".
fn work_of(replay: &Replay, numbers: &[usize]) -> String {
    let instances = || numbers.iter().map(|&number| &replay.instances[number]);
    let all: u64 = instances().map(allocations).sum();
    let left = instances().map(|instance| instance.heap.totals().at_end.bytes);
    let left = left.fold(0, u64::saturating_add);
    let starts: BTreeSet<u64> = instances().map(|instance| instance.initial_pages).collect();
    let ends: BTreeSet<u64> =
        instances().map(|instance| instance.heap.totals().at_end.pages).collect();
    let grew = if starts == ends {
        format!("stayed at {} pages", span(&starts))
    } else {
        format!("grew from {} to {} pages", span(&starts), span(&ends))
    };
    let freed = if left == 0 {
        "and freed everything".to_owned()
    } else {
        format!("and left {} allocated", bytes(left))
    };
    let made = number_of(all, "allocation");
    match numbers {
        [one] => format!("instance {one}, which made {made}, {grew} {freed}"),
        _ => format!("instances {}, which made {made}; each {grew} {freed}", ranges(numbers)),
    }
}

/// One number, or from the least to the most.
fn span(sizes: &BTreeSet<u64>) -> String {
    match (sizes.first(), sizes.last()) {
        (Some(least), Some(most)) if least < most => format!("{}–{}", count(*least), count(*most)),
        (size, _) => count(size.copied().unwrap_or_default()),
    }
}

/// Numbers in order, as in `3, 9 to 25`.
fn ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = ranges.iter().map(|&(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first} and {last}"),
        _ => format!("{first} to {last}"),
    });
    text.collect::<Vec<_>>().join(", ")
}

fn too_early(
    watched: &Watched<'_>,
    instance: usize,
    later: u64,
    stack: &impl Fn(ContextId) -> Stack,
) -> Finding {
    let message = format!(
        "instance {instance} allocated nothing between the {} readings of its memory's size, and made \
         {} after the last one: the readings came too early",
        count(watched.reads.count),
        number_of(later, "allocation"),
    );
    Finding {
        code: Code::MeasuredTooEarly,
        severity: Severity::Warning,
        instance,
        message,
        numbers: numbers(&[("readings", watched.reads.count), ("allocations_after", later)]),
        stacks: vec![labelled("read", stack(watched.reads.first.context))],
        advice: "Await the work before you measure.".to_owned(),
    }
}

fn foreign_memory(
    replay: &Replay,
    watched: &Watched<'_>,
    others: &[usize],
    stack: &impl Fn(ContextId) -> Stack,
) -> Finding {
    let message = format!(
        "no instance uses memory {}, whose size was read {}; the work was done in the memory of {}",
        watched.memory,
        times(watched.reads.count),
        work_of(replay, others),
    );
    Finding {
        code: Code::ForeignMemory,
        severity: Severity::Warning,
        instance: others[0],
        message,
        numbers: numbers(&[("readings", watched.reads.count)]),
        stacks: vec![
            labelled("read", stack(watched.reads.first.context)),
            created(replay, others[0], stack),
        ],
        advice: "Give the instance that memory as an import, or read the memory that it exports."
            .to_owned(),
    }
}

/// The healthy cases: there was room already, or blocks were reused.
fn no_growth_needed(
    replay: &Replay,
    watched: &Watched<'_>,
    instance: usize,
    between: u64,
) -> Finding {
    let totals = replay.instances[instance].heap.totals();
    let size = watched.reads.first.pages;
    let grew = !replay.instances[instance].heap.growths().is_empty();
    let (code, message) = if grew || totals.reused > 0 {
        (
            Code::Reused,
            format!(
                "between the {} readings instance {instance} made {}, and its memory rightly stayed \
                 at {}: in the whole run {} took the place of freed blocks, and never more than {} were live",
                count(watched.reads.count),
                number_of(between, "allocation"),
                pages(size),
                count(totals.reused),
                bytes(totals.at_peak.bytes),
            ),
        )
    } else {
        (
            Code::RoomToSpare,
            format!(
                "between the {} readings instance {instance} made {}, and its memory rightly stayed \
                 at {}: these are {}, and never more than {} were live",
                count(watched.reads.count),
                number_of(between, "allocation"),
                pages(size),
                bytes(size.saturating_mul(PAGE_BYTES)),
                bytes(totals.at_peak.bytes),
            ),
        )
    };
    Finding {
        code,
        severity: Severity::Note,
        instance,
        message,
        numbers: numbers(&[
            ("readings", watched.reads.count),
            ("allocations", between),
            ("peak_bytes", totals.at_peak.bytes),
        ]),
        stacks: Vec::new(),
        advice: "Watch the live bytes if you look for leaks: the memory's size does not show them."
            .to_owned(),
    }
}

fn disagreement(watched: &Watched<'_>, stack: &impl Fn(ContextId) -> Stack) -> Option<Finding> {
    let read = watched.reads.wrong?;
    let recorded = read.pages_recorded?;
    let message = format!(
        "the program was told that memory {} has {}, and the growths recorded make {}",
        watched.memory,
        pages(read.pages),
        pages(recorded),
    );
    Some(Finding {
        code: Code::WitnessesDisagree,
        severity: Severity::Warning,
        instance: watched.users.first().copied().unwrap_or_default(),
        message,
        numbers: numbers(&[("pages_read", read.pages), ("pages_recorded", recorded)]),
        stacks: vec![labelled("read", stack(read.context))],
        advice:
            "Something grew the memory that linmem does not see: code of another module, perhaps."
                .to_owned(),
    })
}

fn stale_views(replay: &Replay, stack: &impl Fn(ContextId) -> Stack) -> Vec<Finding> {
    let views = replay.host.stale_views.iter().map(|(view, number)| Finding {
        code: Code::StaleView,
        severity: Severity::Error,
        instance: replay.users(view.memory).first().copied().unwrap_or_default(),
        message: format!(
            "a view from when memory {} had {} was used {} after the memory had grown: it is detached, \
             reads as empty, and swallows writes",
            view.memory,
            pages(view.pages),
            times(*number),
        ),
        numbers: numbers(&[("times", *number), ("pages", view.pages)]),
        stacks: vec![labelled("used", stack(view.context))],
        advice: "Make the view anew from memory.buffer after everything that can grow the memory."
            .to_owned(),
    });
    views.collect()
}

/// Pages that were needed at some time and are not any more.
fn grown_and_held(replay: &Replay, number: usize) -> Option<Finding> {
    let instance = &replay.instances[number];
    let totals = instance.heap.totals();
    let size = totals.at_end.pages.saturating_mul(PAGE_BYTES);
    let grew = totals.at_end.pages > instance.initial_pages;
    let unused = size.saturating_sub(totals.at_end.bytes);
    (grew && unused > size / 2).then(|| Finding {
        code: Code::GrewAndHeld,
        severity: Severity::Note,
        instance: number,
        message: format!(
            "instance {number} grew from {} to {} for at most {} live bytes, and {} are live at the \
             end: the allocator keeps the rest for later",
            count(instance.initial_pages),
            pages(totals.at_end.pages),
            count(totals.at_peak.bytes),
            count(totals.at_end.bytes),
        ),
        numbers: numbers(&[
            ("pages_at_start", instance.initial_pages),
            ("pages_at_end", totals.at_end.pages),
            ("bytes_at_end", totals.at_end.bytes),
        ]),
        stacks: Vec::new(),
        advice: "No instruction gives pages back; a new instance starts small again.".to_owned(),
    })
}

/// What it costs to make a new instance for each call.
fn instances_per_call(replay: &Replay) -> Vec<Finding> {
    let mut of_module: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, instance) in replay.instances.iter().enumerate() {
        of_module.entry(instance.module).or_default().push(number);
    }
    let many = of_module.into_iter().filter(|(_, numbers)| numbers.len() >= MANY_INSTANCES);
    many.map(|(module, numbers)| {
        let held: u64 = numbers
            .iter()
            .map(|&number| replay.instances[number].heap.totals().at_end.pages)
            .fold(0, u64::saturating_add);
        let message = format!(
            "{} instances of {} were made ({}), with a memory each: {} ({}) in all",
            count(numbers.len() as u64),
            replay.modules[module].name,
            ranges(&numbers),
            pages(held),
            bytes(held.saturating_mul(PAGE_BYTES)),
        );
        Finding {
            code: Code::InstancePerCall,
            severity: Severity::Note,
            instance: numbers[0],
            message,
            numbers: self::numbers(&[("instances", numbers.len() as u64), ("pages", held)]),
            stacks: Vec::new(),
            advice: "Make one instance and call it again, unless each call is to start afresh."
                .to_owned(),
        }
    })
    .collect()
}

fn created(replay: &Replay, instance: usize, stack: &impl Fn(ContextId) -> Stack) -> LabelledStack {
    let context = replay.instances[instance].created;
    let label = format!("instance {instance} was created");
    LabelledStack { label, stack: context.map(stack).unwrap_or_default() }
}

fn labelled(label: &str, stack: Stack) -> LabelledStack {
    LabelledStack { label: label.to_owned(), stack }
}

fn numbers(numbers: &[(&str, u64)]) -> BTreeMap<String, u64> {
    numbers.iter().map(|&(name, value)| (name.to_owned(), value)).collect()
}

fn times(number: u64) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        number => format!("{} times", count(number)),
    }
}

/// A message as a sentence.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str())
}
