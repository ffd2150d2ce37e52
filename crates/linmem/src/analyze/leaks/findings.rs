//! What the judged blocks amount to: leaks in, findings out.

use std::collections::{BTreeMap, BTreeSet};

use crate::replay::heap::{Crossed, Held};
use crate::report::{Code, Finding, Remedy};
use crate::trace::ContextId;
use crate::units::{bytes, count, number_of};

use super::super::lines::{done_at, in_parentheses, user_line};
use super::super::not_returned;
use super::super::subject::{Memory, Subject};
use super::super::unseen_events;
use super::{Group, Holder, Kind, Leaks, emptied, kept_by_calls, middles, once, sum_of};

/// One finding for each kind and call stack, most bytes first.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    subject.memories().flat_map(of_memory).collect()
}

fn of_memory(memory: Memory<'_, '_>) -> Vec<Finding> {
    let leaks = memory.leaks();
    if let Some(reason) = &leaks.not_judged {
        let mut findings: Vec<Finding> =
            not_judged_finding(memory, leaks, reason).into_iter().collect();
        findings.extend(perhaps_lost_findings(memory, leaks));
        findings.extend(finalizer_finding(memory, &[]));
        return findings;
    }
    let mut groups: Vec<_> =
        leaks.groups.iter().filter(|((kind, _), _)| !kind.is_meant_to_stay()).collect();
    groups.sort_by_key(|&(&(kind, context), group)| {
        (kind, std::cmp::Reverse(group.held.bytes + group.indirect.bytes), context)
    });
    let (reachable, lost): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|((kind, _), _)| *kind == Kind::Reachable);
    let (once, lost) = once::partition(memory, lost);
    let (at_rest, lost): (Vec<_>, Vec<_>) =
        lost.into_iter().partition(|group| middles::is_at_rest(memory, group));
    let (doubtful, lost): (Vec<_>, Vec<_>) =
        lost.into_iter().partition(|group| middles::is_doubtful(memory, group, &at_rest));
    let (lost_once, kept_once): (Vec<_>, Vec<_>) =
        once.into_iter().partition(|((kind, _), _)| kind.is_lost());
    let (emptied, mut lost): (Vec<_>, Vec<_>) =
        lost.into_iter().partition(|((kind, _), _)| *kind == Kind::Emptied);
    if emptied.is_empty() && !lost.iter().any(|((kind, _), _)| kind.is_lost()) {
        // All that is lost with others is lost with blocks of one note, which says so.
        lost.retain(|((kind, _), _)| *kind != Kind::Indirect);
    }
    let (held, lost): (Vec<_>, Vec<_>) =
        lost.into_iter().partition(|((kind, _), _)| matches!(kind, Kind::HostHeld(_)));
    let (left, lost): (Vec<_>, Vec<_>) =
        lost.into_iter().partition(|((kind, _), _)| *kind == Kind::FinalizerHeld);
    let (by_threads, lost): (Vec<_>, Vec<_>) =
        lost.into_iter().partition(|((kind, _), _)| *kind == Kind::ThreadHeld);
    let lost = lost.into_iter();
    let mut findings: Vec<Finding> = once::lost_finding(memory, &lost_once).into_iter().collect();
    findings
        .extend(lost.map(|(&(kind, context), group)| leak_finding(memory, kind, context, group)));
    findings.extend(emptied::finding(memory, &emptied));
    findings.extend(host_findings(memory, &held));
    findings.extend(finalizer_finding(memory, &left));
    findings.extend(once::kept_finding(memory, &kept_once, led_to_by_none(&held)));
    findings.extend(middles::doubtful_finding(memory, &doubtful, &at_rest));
    findings.extend(middles::at_rest_finding(memory, &at_rest));
    findings.extend(thread_finding(memory, &by_threads));
    let by_calls = kept_by_calls::findings(memory, &reachable);
    let rest =
        if by_calls.is_empty() { "Not a leak" } else { "What no line above keeps is all right" };
    findings.extend(by_calls);
    findings.extend(reachable_finding(memory, &reachable, rest));
    findings
}

/// Advice where the cause is that a trap or an exception left the calls.
const OF_LEFT_CALLS: &str =
    "What such a call was about to free stays where it is: look at why it did not return.";

fn leak_finding(memory: Memory<'_, '_>, kind: Kind, context: ContextId, group: &Group) -> Finding {
    let held = blocks_text(group.held);
    let (code, message, advice) = match kind {
        Kind::Definite => (
            Code::LeakDefinite,
            format!("{held} lost: nothing points to {} any more", them(group.held)),
            "Free the block before its last pointer goes away.",
        ),
        Kind::Indirect => (
            Code::LeakIndirect,
            format!("{held} lost with others: only lost blocks point to {}", them(group.held)),
            "Free what the lost block owns together with it.",
        ),
        _ => (
            Code::LeakPossible,
            format!("{held} perhaps lost: only pointers into the middle are left"),
            "Keep a pointer to the start of the block, or free it.",
        ),
    };
    let with_others = with_others(group.held, group.indirect);
    let line = in_parentheses(&memory.subject.outside(context));
    let (whence, advice) = match not_returned::never_returned(memory, context) {
        Some(name) => {
            (format!(", allocated in calls of `{name}` that did not return"), OF_LEFT_CALLS)
        }
        None => (String::new(), advice),
    };
    let finding = Finding::new(code)
        .about(memory.first_user())
        .message(message + &line + &whence + &with_others)
        .number("blocks", group.held.blocks)
        .number("bytes", group.held.bytes);
    indirect_numbers(finding, group.indirect)
        .number("example_address", group.example)
        .stack(allocated(group), memory.stack(context))
        .advice(advice)
}

/// What only lost blocks lead to, as the end of a sentence about these.
pub(super) fn with_others(lost: Held, indirect: Held) -> String {
    match indirect.blocks {
        0 => String::new(),
        _ => format!(", and {} with {}", blocks_text(indirect), them(lost)),
    }
}

pub(super) fn indirect_of(groups: &Groups<'_>) -> Held {
    groups.iter().fold(Held::default(), |mut sum, (_, group)| {
        sum += group.indirect;
        sum
    })
}

pub(super) fn indirect_numbers(finding: Finding, indirect: Held) -> Finding {
    finding.number("indirect_blocks", indirect.blocks).number("indirect_bytes", indirect.bytes)
}

/// Blocks of the same kind and call stack, with the two.
pub(super) type GroupOf<'g> = (&'g (Kind, ContextId), &'g Group);
pub(super) type Groups<'g> = [GroupOf<'g>];

/// One note for all blocks that are still reachable, of which `rest` are said not to be a leak.
fn reachable_finding(memory: Memory<'_, '_>, groups: &Groups<'_>, rest: &str) -> Option<Finding> {
    let finding =
        finding_of_all(Code::StillReachable, memory, groups, "still pointed to at the end")?;
    Some(finding.advice(format!("{rest} as long as it does not grow with the work done.")))
}

/// One note for all objects that the program left to finalizers and did not take back. Whether a finalizer has run in time
/// is up to the engine, and makes no difference to their number.
fn finalizer_finding(memory: Memory<'_, '_>, groups: &Groups<'_>) -> Option<Finding> {
    let of_line = memory.left_to_finalizers();
    let objects: u64 = of_line.values().map(|(objects, _)| objects).sum();
    let (_, context) = of_line.values().copied().max_by_key(|(objects, _)| *objects)?;
    let of_line = of_line.into_iter().map(|(line, (objects, _))| (line, objects));
    let place = done_at("registered", of_line);
    let message = format!("{} left to finalizers{place}", number_of(objects, "object"));
    let advice = "When finalizers run is up to the engine, and at the end of the program they do not. Free what has to \
                  be freed in time by yourself.";
    let what = "alive at the end that only such objects own";
    let finding = match finding_of_all(Code::WaitsForFinalizer, memory, groups, what) {
        Some(mut finding) => {
            finding.message = format!("{message}: {}", finding.message);
            finding
        }
        None => Finding::new(Code::WaitsForFinalizer).about(memory.first_user()).message(message),
    };
    let finding = finding
        .number("objects", objects)
        .stack("registered", memory.stack(context))
        .advice(advice);
    let is_done = memory.subject.options.collected;
    Some(if is_done { finding } else { finding.remedy(Remedy::Collect) })
}

/// One note for all blocks that only other threads may point to.
fn thread_finding(memory: Memory<'_, '_>, groups: &Groups<'_>) -> Option<Finding> {
    let what = "alive at the end, leaked or not: nothing in the memory points there, but other threads were \
                perhaps running, or were ended in the call that got them, and linmem cannot see their locals";
    let finding = finding_of_all(Code::NotJudged, memory, groups, what)?;
    Some(finding.advice("Let the threads end before the program to have these judged."))
}

/// One warning for each way in which the host got the pointers: for each exported function that
/// returned some.
fn host_findings(memory: Memory<'_, '_>, groups: &Groups<'_>) -> Vec<Finding> {
    // A host that puts back a snapshot gives all blocks back at once.
    if !memory.heap().overwritten().is_empty() {
        return Vec::new();
    }
    let mut of_holder: BTreeMap<Holder, Vec<GroupOf<'_>>> = BTreeMap::new();
    for group in groups {
        if let (Kind::HostHeld(holder), _) = group.0 {
            of_holder.entry(*holder).or_default().push(*group);
        }
    }
    let mut has: Vec<_> =
        of_holder.iter().rev().filter(|(holder, _)| !matches!(holder, Holder::LedTo(_))).collect();
    let led_to = |holder: &Holder| {
        let led_to = match *holder {
            Holder::Has(crossing) => of_holder.get(&Holder::LedTo(crossing)),
            Holder::HasPart { part, .. } if !of_holder.contains_key(&Holder::Has(part)) => {
                of_holder.get(&Holder::LedTo(part))
            }
            _ => None,
        };
        led_to.map_or(&[][..], Vec::as_slice)
    };
    // Within a severity, what weighs most comes first. What hangs on blocks counts where nothing else leads there: else it is by
    // chance on which it hangs. The parts of objects come after these.
    has.sort_by_key(|(holder, groups)| {
        let own = sum_of(groups.iter().map(|(_, group)| *group)).bytes;
        let alone: u64 = led_to(holder).iter().map(|(_, group)| group.led_to_alone).sum();
        let is_part = matches!(holder, Holder::HasPart { .. });
        (is_part, std::cmp::Reverse(own.saturating_add(alone)))
    });
    has.into_iter()
        .filter_map(|(holder, groups)| host_finding(memory, *holder, groups, led_to(holder)))
        .collect()
}

/// What only some blocks lead to, as the end of a sentence about these.
pub(super) fn more_hang_on_these(led_to: Held) -> String {
    format!("; {} more hang on these", blocks_text(led_to))
}

/// What hangs on blocks of which there is no finding: it hangs on those that a library keeps once.
fn led_to_by_none(groups: &Groups<'_>) -> Held {
    let told: BTreeSet<Crossed> = groups
        .iter()
        .filter_map(|((kind, _), _)| match kind {
            Kind::HostHeld(Holder::Has(crossing) | Holder::HasPart { part: crossing, .. }) => {
                Some(*crossing)
            }
            _ => None,
        })
        .collect();
    let is_told = |kind: Kind| match kind {
        Kind::HostHeld(Holder::LedTo(crossing)) => told.contains(&crossing),
        _ => true,
    };
    sum_of(groups.iter().filter(|((kind, _), _)| !is_told(*kind)).map(|(_, group)| *group))
}

/// Advice on blocks that seem to be parts of objects.
const OF_PARTS: &str = "Give back those objects first, with what the library has for that (`delete`, `destroy`, \
                        `close`): who frees them may free their parts, and these would be freed twice";

/// Further places that a finding about several shows.
pub(super) const MORE_PLACES: usize = 2;

fn host_finding(
    memory: Memory<'_, '_>,
    holder: Holder,
    groups: &Groups<'_>,
    led_to: &Groups<'_>,
) -> Option<Finding> {
    let what = how_held(memory, holder);
    let what = format!("{what}{}", by_line(memory, groups));
    let what = format!("{what}{}{}", left_over(groups), parts(memory, holder, groups));
    let mut finding = finding_of_all(Code::LeakHostHeld, memory, groups, &what)?;
    for ((_, context), group) in by_weight(groups).into_iter().skip(1).take(MORE_PLACES) {
        let label = format!("{}: {}", allocated(group), blocks_text(group.held));
        finding = finding.stack(label, memory.stack(*context));
    }
    if let Holder::Has(crossing) | Holder::HasPart { part: crossing, .. } = holder {
        if let Crossed::Returned(function) = crossing {
            let returned = memory.heap().returned(function);
            finding = finding.number("returned", returned.blocks).number("freed", returned.freed);
        }
        let led_to = sum_of(led_to.iter().map(|(_, group)| *group));
        if led_to.blocks > 0 {
            finding.message += &more_hang_on_these(led_to);
        }
        finding = indirect_numbers(finding, led_to);
    }
    let advice = match holder {
        Holder::HasPart { .. } => OF_PARTS,
        _ => {
            "When you are done with each, pass its pointer to the module's free, or to what the library has for that \
             (`delete`, `destroy`, `close`)"
        }
    };
    Some(finding.advice(match memory.sees_a_part() {
        true => format!("{advice}; unless the module frees it where linmem does not see it."),
        false => format!("{advice}."),
    }))
}

/// To how many blocks words lead that are perhaps left over.
fn left_over(groups: &Groups<'_>) -> String {
    let all = sum_of(groups.iter().map(|(_, group)| *group));
    let of_them = match groups.iter().map(|(_, group)| group.left_over).sum() {
        0 => return String::new(),
        left_over if left_over == all.blocks => them(all).to_owned(),
        left_over => format!("{} of them", count(left_over)),
    };
    format!(
        "; only words that are perhaps left over lead to {of_them}, on the stack or behind what a block was asked for"
    )
}

/// How many of the blocks are parts of objects, and of which.
fn parts(memory: Memory<'_, '_>, holder: Holder, groups: &Groups<'_>) -> String {
    let Holder::HasPart { whole, .. } = holder else { return String::new() };
    let all = sum_of(groups.iter().map(|(_, group)| *group)).blocks;
    let each = match groups.iter().map(|(_, group)| group.parts).sum() {
        parts if parts == all && all == 1 => "it is".to_owned(),
        parts if parts == all => "each is".to_owned(),
        1 => "1 of them is".to_owned(),
        parts => format!("{} of them are each", count(parts)),
    };
    let whence = match whole {
        Crossed::Returned(function) => {
            format!("the host got from `{}`", memory.export_name(function))
        }
        Crossed::Passed => "the host passed to exports".to_owned(),
        Crossed::HandedOut => "imported functions got".to_owned(),
        Crossed::Inside => "the host has pointers into".to_owned(),
    };
    format!("; {each} pointed to by an object that {whence}")
}

/// The user's own lines that allocated blocks, those with most of them first, with how many where there are
/// several: ` (allocated at app.mjs:5)`.
pub(super) fn by_line(memory: Memory<'_, '_>, groups: &Groups<'_>) -> String {
    let mut of_line: BTreeMap<Option<String>, u64> = BTreeMap::new();
    for ((_, context), group) in groups {
        let line = user_line(&memory.subject.outside(*context)).map(str::to_owned);
        *of_line.entry(line).or_default() += group.held.blocks;
    }
    done_at("allocated", of_line)
}

/// How the host came to hold blocks, as the predicate of a sentence about them.
fn how_held(memory: Memory<'_, '_>, holder: Holder) -> String {
    let words = match holder {
        Holder::Has(Crossed::Returned(function)) => {
            let returned = memory.heap().returned(function);
            let (blocks, name) =
                (number_of(returned.blocks, "block"), memory.export_name(function));
            let pointed_to = match memory.leaks().pointed_to.get(&function) {
                Some(blocks) => format!("; to {} more the module still points", count(*blocks)),
                None => String::new(),
            };
            return format!(
                "never given back: the host got {blocks} from `{name}` and freed {}{pointed_to}",
                count(returned.freed),
            );
        }
        Holder::HasPart { part, .. } => return how_held(memory, Holder::Has(part)),
        Holder::Has(Crossed::Passed) => {
            "never given back: nothing in the module points there, but the host passed such pointers \
             to exports"
        }
        Holder::Has(Crossed::HandedOut) => {
            "never given back: nothing in the module points there, but it passed such pointers to \
             imported functions"
        }
        Holder::Has(Crossed::Inside) => {
            "never given back: nothing in the module points there, but the host got addresses of what lies \
             inside"
        }
        Holder::LedTo(_) | Holder::MayHave => {
            "left at the end, to which nothing in the module points: the host still has the pointers, \
             or has lost them"
        }
    };
    words.to_owned()
}

/// The groups, the largest first.
fn by_weight<'g>(groups: &Groups<'g>) -> Vec<GroupOf<'g>> {
    let mut groups = groups.to_vec();
    groups.sort_by_key(|(_, group)| std::cmp::Reverse((group.held.bytes, group.held.blocks)));
    groups
}

/// What findings about several groups have in common: the sum, and the largest one's stack.
pub(super) fn finding_of_all(
    code: Code,
    memory: Memory<'_, '_>,
    groups: &Groups<'_>,
    what: &str,
) -> Option<Finding> {
    let ((_, context), largest) = by_weight(groups).into_iter().next()?;
    let emptied = groups.iter().map(|(_, group)| group.emptied).sum();
    let all = sum_of(groups.iter().map(|(_, group)| *group));
    let of_them = match groups.len() {
        1 => String::new(),
        _ => format!("; the most, {}, come from here", blocks_text(largest.held)),
    };
    let finding = Finding::new(code)
        .about(memory.first_user())
        .message(format!("{} {what}{}{of_them}", blocks_text(all), emptied::of_them(emptied, all)))
        .number("blocks", all.blocks)
        .number("bytes", all.bytes)
        .stack(allocated(largest), memory.stack(*context));
    Some(finding)
}

/// Call stacks that have a note of their own.
const MOST_STACKS: usize = 5;

/// Notes of the blocks that only a call which never returned may point to, most bytes first.
fn perhaps_lost_findings(memory: Memory<'_, '_>, leaks: &Leaks) -> Vec<Finding> {
    let groups = leaks.groups.iter().filter(|((kind, _), _)| *kind == Kind::FrameHeld);
    let mut groups: Vec<GroupOf<'_>> = groups.collect();
    groups.sort_by_key(|((_, context), group)| (std::cmp::Reverse(group.held.bytes), *context));
    let others = groups.split_off(groups.len().min(MOST_STACKS));
    let one = |(&(_, context), group): GroupOf<'_>| {
        let (held, them) = (blocks_text(group.held), them(group.held));
        Finding::new(Code::PerhapsLost)
            .about(memory.first_user())
            .message(format!(
                "{held} perhaps lost: no word in the memory points to {them}{}",
                emptied::of_them(group.emptied, group.held)
            ))
            .number("blocks", group.held.blocks)
            .number("bytes", group.held.bytes)
            .stack(allocated(group), memory.stack(context))
    };
    let what = "more perhaps lost: no word in the memory points to them";
    let mut findings: Vec<Finding> = groups.into_iter().map(one).collect();
    findings.extend(finding_of_all(Code::PerhapsLost, memory, &others, what));
    let advice = "If no local of a call that had not returned pointed there, this is a leak.";
    findings.into_iter().map(|finding| finding.advice(advice)).collect()
}

fn not_judged_finding(memory: Memory<'_, '_>, leaks: &Leaks, reason: &str) -> Option<Finding> {
    let judged = leaks.groups.iter().filter(|((kind, _), _)| !kind.is_meant_to_stay());
    let live = sum_of(judged.map(|(_, group)| group));
    let advice = match unseen_events::reason(memory) {
        Some(_) => "They can be judged where all events are seen.",
        None if has_collector(memory) => {
            "Nothing is to be done, unless they grow with the work done."
        }
        None if memory.is_gone() => {
            "The memory went with the instance: keep the instance until the end of the program to have its leaks judged."
        }
        None if memory.subject.replay.is_of_workers => {
            "Let the thread end by itself to have its leaks judged."
        }
        None => "Let the program return from its entry point to have its leaks judged.",
    };
    (live.blocks > 0).then(|| {
        Finding::new(Code::NotJudged)
            .about(memory.first_user())
            .message(format!("{} alive at the end, leaked or not: {reason}", blocks_text(live)))
            .number("blocks", live.blocks)
            .number("bytes", live.bytes)
            .advice(advice)
    })
}

/// Whether garbage is collected in a memory.
fn has_collector(memory: Memory<'_, '_>) -> bool {
    memory.modules().iter().any(|facts| facts.premises.collector.is_some())
}

/// The label of the stack, with how many of the blocks it is known of.
pub(super) fn allocated(group: &Group) -> String {
    match (group.looked_at, group.held.blocks) {
        (looked_at, blocks) if looked_at > 0 && looked_at < blocks => {
            let (looked_at, blocks) = (count(looked_at), count(blocks));
            format!("allocated (callers of {looked_at} of {blocks} blocks looked at)")
        }
        _ => "allocated".to_owned(),
    }
}

pub(super) fn blocks_text(held: Held) -> String {
    let plural = if held.blocks == 1 { "block" } else { "blocks" };
    format!("{} in {} {plural}", bytes(held.bytes), count(held.blocks))
}

pub(super) fn them(held: Held) -> &'static str {
    if held.blocks == 1 { "it" } else { "them" }
}
