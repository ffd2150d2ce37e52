//! Which of the blocks that are alive at the end nothing points to.
//!
//! A mark over the final memory, conservative as in Valgrind's memcheck: every aligned word that
//! equals a block's address is a pointer to it. The roots are the static data, the part of the
//! shadow stack that is in use, memory that the program grew past its allocator, and the globals.
//! They are complete only when no wasm frame is live, because locals cannot be seen.
//!
//! - *reachable*: a chain of pointers to block starts leads there from a root
//! - *host-held*: no such chain does, but the address came to the host or from it, or that of a block
//!   which leads there
//! - *possible*: only a chain with an interior pointer does
//! - *definite*: nothing points there
//! - *indirect*: only lost blocks point there

mod mark;
mod roots;

use std::collections::{BTreeMap, BTreeSet};

use crate::allocator::Evidence;
use crate::instrument::boundary;
use crate::language::StartUp;
use crate::module::memory_map::MemoryMap;
use crate::prepared::Prepared;
use crate::replay::heap::{Block, Held};
use crate::report::{Code, Finding, LabelledStack, LeakSummary, Severity};
use crate::trace::ContextId;
use crate::trace::Crossing;
use crate::units::{bytes, count, number_of};

use super::Subject;
use mark::{Blocks, Live, Mark};

/// What a live block turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing points to it.
    Definite,
    /// Only lost blocks point to it.
    Indirect,
    /// Only interior pointers lead to it.
    Possible,
    /// The host has its address, or may have it.
    HostHeld(Holder),
    /// Something points to it.
    Reachable,
    /// The language's start-up code allocated it for the whole run.
    Runtime,
}

/// Why the host is taken to have a block's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// The address crossed.
    Has(Crossing),
    /// The address of a block crossed that leads there.
    LedTo(Crossing),
    /// Not all that crosses is seen.
    MayHave,
}

/// The live blocks of an instance, judged.
#[derive(Debug, Default)]
pub struct Leaks {
    /// Why they could not be judged, if so.
    not_judged: Option<String>,
    groups: BTreeMap<(Kind, ContextId), Group>,
}

/// Blocks of one kind from one context.
#[derive(Debug, Default, Clone, Copy)]
struct Group {
    held: Held,
    /// What only these blocks lead to.
    indirect: Held,
    example: u64,
}

impl Leaks {
    /// Blocks and bytes by kind.
    pub fn summary(&self) -> LeakSummary {
        let sum_where = |is_meant: &dyn Fn(Kind) -> bool| {
            sum_of(self.groups.iter().filter(|((kind, _), _)| is_meant(*kind)).map(|(_, g)| g))
        };
        let sum = |kind| sum_where(&|of_group| of_group == kind);
        LeakSummary {
            not_judged: self.not_judged.clone(),
            definite: sum(Kind::Definite),
            indirect: sum(Kind::Indirect),
            possible: sum(Kind::Possible),
            host_held: sum_where(&|kind| matches!(kind, Kind::HostHeld(_))),
            reachable: sum(Kind::Reachable),
            runtime: sum(Kind::Runtime),
        }
    }
}

fn sum_of<'g>(groups: impl Iterator<Item = &'g Group>) -> Held {
    groups.fold(Held::default(), |mut sum, group| {
        sum += group.held;
        sum
    })
}

/// What the analysis needs to know of a module and its allocator.
pub struct Facts {
    start_up: StartUp,
    /// The functions that are hooked.
    hooked: BTreeSet<u32>,
    /// Static words that only the allocator uses.
    allocators_own: BTreeSet<u64>,
    memory_map: MemoryMap,
    /// Whether addresses can come to the host unseen.
    is_open: bool,
}

impl Facts {
    /// Gathers them.
    pub fn new(prepared: &Prepared<'_>) -> Facts {
        let module = &prepared.module;
        let hooked = prepared.allocator().hooked();
        Facts {
            start_up: StartUp::new(module),
            allocators_own: roots::allocators_own_words(prepared, &hooked),
            memory_map: MemoryMap::of(module),
            is_open: boundary::is_open(module),
            hooked,
        }
    }
}

/// Judges every live block of an instance.
pub fn find(subject: &Subject<'_, '_>) -> Leaks {
    let blocks = live_blocks(subject);
    let is_64 = subject.module.memories.first().is_some_and(|memory| memory.is_64);
    let word_bytes = if is_64 { 8 } else { 4 };
    let mut leaks = Leaks { not_judged: not_judged(subject), ..Leaks::default() };
    let snapshot = subject.instance.snapshot.as_ref();
    let mut mark = Mark::new(Blocks(&blocks), snapshot, word_bytes);
    if let (Some(snapshot), None) = (snapshot, &leaks.not_judged) {
        mark.run(&roots::words(subject, snapshot, Blocks(&blocks), word_bytes));
    }
    let Facts { start_up, hooked, .. } = &subject.facts.leaks;
    let runtime =
        |context| start_up.allocates(subject.replay.stack(context), |f| hooked.contains(&f));
    for (index, Live { address, block, .. }) in blocks.iter().enumerate() {
        let kind = match mark.kinds[index] {
            _ if runtime(block.context) => Kind::Runtime,
            Kind::Definite | Kind::Indirect | Kind::Possible if host_may_hold(subject) => {
                Kind::HostHeld(Holder::MayHave)
            }
            kind => kind,
        };
        let context = subject.stacks.representative(block.context);
        let group = leaks.groups.entry((kind, context)).or_default();
        group.held += Held { blocks: 1, bytes: block.size };
        group.indirect += mark.indirect[index];
        if group.example == 0 {
            group.example = *address;
        }
    }
    leaks
}

/// The live blocks, as large as they are. An allocator without names may resize blocks unseen, but that of
/// dlmalloc writes their size in front of them: the word before a block is its chunk's size, with flags in
/// the lowest bits.
fn live_blocks(subject: &Subject<'_, '_>) -> Vec<Live> {
    const FLAGS: u64 = 7;
    const HEADER_BYTES: u64 = 4;
    let allocator = &subject.recorded.allocator;
    let has_headers = allocator.functions.iter().any(|f| matches!(f.evidence, Evidence::Shape(_)))
        || !allocator.resizing.is_empty();
    let snapshot = subject.instance.snapshot.as_ref().filter(|_| has_headers);
    let extent = |address: u64, block: &Block| {
        let head =
            snapshot?.words(address.checked_sub(HEADER_BYTES)?, address, HEADER_BYTES).next();
        Some((head?.1 & !FLAGS).saturating_sub(HEADER_BYTES).max(block.size))
    };
    let live = subject.instance.heap.live().iter();
    live.map(|(&address, &block)| {
        let extent = extent(address, &block).unwrap_or(block.size);
        Live { address, extent, block }
    })
    .collect()
}

/// Whether the host may hold any block: not all that crossed was seen. Who shares a memory may hold the
/// blocks of others as well.
fn host_may_hold(subject: &Subject<'_, '_>) -> bool {
    let is_shared = subject.module.memories.first().is_some_and(|memory| memory.shared);
    let users = subject.instance.memory.map_or(1, |memory| subject.replay.users(memory).len());
    subject.instance.functions_taken || subject.facts.leaks.is_open || is_shared || users > 1
}

/// Why the blocks cannot be judged, if that is so.
fn not_judged(subject: &Subject<'_, '_>) -> Option<String> {
    const STOPS_EARLY: &str = "the recording stops before the program ended";
    let reason = match (&subject.instance.snapshot, &subject.replay.end) {
        (None, _) if subject.instance.collected => "the instance was garbage-collected before",
        // The last parts of the memory may be missing.
        _ if subject.replay.truncated => STOPS_EARLY,
        (None, _) => STOPS_EARLY,
        (Some(_), Some(crate::replay::End::Trap { .. })) => {
            "the program trapped, and its frames may hold pointers that nobody can see"
        }
        (Some(snapshot), _) if snapshot.frames_live => {
            "the program exited from inside of a call, and its frames may hold pointers that \
             nobody can see"
        }
        _ => return None,
    };
    Some(reason.to_owned())
}

/// One finding for each kind and call stack, most bytes first.
pub fn findings(subject: &Subject<'_, '_>, leaks: &Leaks) -> Vec<Finding> {
    if let Some(reason) = &leaks.not_judged {
        return not_judged_finding(subject, leaks, reason).into_iter().collect();
    }
    let mut groups: Vec<_> =
        leaks.groups.iter().filter(|((kind, _), _)| *kind != Kind::Runtime).collect();
    groups.sort_by_key(|&(&(kind, context), group)| {
        (kind, std::cmp::Reverse(group.held.bytes + group.indirect.bytes), context)
    });
    let (reachable, lost): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|((kind, _), _)| *kind == Kind::Reachable);
    let (held, lost): (Vec<_>, Vec<_>) =
        lost.into_iter().partition(|((kind, _), _)| matches!(kind, Kind::HostHeld(_)));
    let lost = lost.into_iter();
    let mut findings: Vec<Finding> =
        lost.map(|(&(kind, context), group)| leak_finding(subject, kind, context, group)).collect();
    findings.extend(host_findings(subject, &held));
    findings.extend(reachable_finding(subject, &reachable));
    findings
}

fn leak_finding(
    subject: &Subject<'_, '_>,
    kind: Kind,
    context: ContextId,
    group: &Group,
) -> Finding {
    let held = blocks_text(group.held);
    let (code, severity, message, advice) = match kind {
        Kind::Definite => (
            Code::LeakDefinite,
            Severity::Error,
            format!("{held} lost: nothing points to {} any more", them(group.held)),
            "Free the block before its last pointer goes away.",
        ),
        Kind::Indirect => (
            Code::LeakIndirect,
            Severity::Error,
            format!("{held} lost with others: only lost blocks point to {}", them(group.held)),
            "Free what the lost block owns together with it.",
        ),
        _ => (
            Code::LeakPossible,
            Severity::Warning,
            format!("{held} perhaps lost: only pointers into the middle are left"),
            "Keep a pointer to the start of the block, or free it.",
        ),
    };
    let with_others = match group.indirect.blocks {
        0 => String::new(),
        _ => format!(", and {} with {}", blocks_text(group.indirect), them(group.held)),
    };
    Finding {
        code,
        severity,
        instance: subject.number,
        message: message + &with_others,
        numbers: numbers(&[
            ("blocks", group.held.blocks),
            ("bytes", group.held.bytes),
            ("indirect_blocks", group.indirect.blocks),
            ("indirect_bytes", group.indirect.bytes),
            ("example_address", group.example),
        ]),
        stacks: vec![LabelledStack {
            label: "allocated".to_owned(),
            stack: subject.stacks.of(context),
        }],
        advice: advice.to_owned(),
    }
}

/// Blocks of the same kind and call stack, with which.
type GroupOf<'g> = (&'g (Kind, ContextId), &'g Group);
type Groups<'g> = [GroupOf<'g>];

/// One note for all that is still reachable.
fn reachable_finding(subject: &Subject<'_, '_>, groups: &Groups<'_>) -> Option<Finding> {
    Some(Finding {
        code: Code::StillReachable,
        severity: Severity::Note,
        advice: "Not a leak as long as it does not grow with the work done.".to_owned(),
        ..finding_of_all(subject, groups, "still pointed to at the end")?
    })
}

/// One warning for each way in which the host got the pointers: for each exported function that
/// returned some.
fn host_findings(subject: &Subject<'_, '_>, groups: &Groups<'_>) -> Vec<Finding> {
    let mut of_holder: BTreeMap<Holder, Vec<GroupOf<'_>>> = BTreeMap::new();
    for group in groups {
        if let (Kind::HostHeld(holder), _) = group.0 {
            of_holder.entry(*holder).or_default().push(*group);
        }
    }
    let holders = of_holder.iter().rev();
    let has = holders.filter(|(holder, _)| !matches!(holder, Holder::LedTo(_)));
    has.filter_map(|(&holder, groups)| {
        let led_to = match holder {
            Holder::Has(crossing) => of_holder.get(&Holder::LedTo(crossing)),
            _ => None,
        };
        host_finding(subject, holder, groups, led_to.map_or(&[], Vec::as_slice))
    })
    .collect()
}

fn host_finding(
    subject: &Subject<'_, '_>,
    holder: Holder,
    groups: &Groups<'_>,
    led_to: &Groups<'_>,
) -> Option<Finding> {
    let mut more = Vec::new();
    let what = match holder {
        Holder::Has(Crossing::Returned(function)) => {
            let returned = subject.instance.heap.returned(function);
            more = vec![("returned", returned.blocks), ("freed", returned.freed)];
            format!(
                "never given back: the host got {} from `{}` and freed {}",
                number_of(returned.blocks, "block"),
                subject.export_name(function),
                count(returned.freed),
            )
        }
        Holder::Has(Crossing::Passed) => {
            "never given back: nothing in the module points there, but the host passed such pointers \
             to exports"
                .to_owned()
        }
        Holder::Has(Crossing::HandedOut) => {
            "never given back: nothing in the module points there, but it passed such pointers to \
             imported functions"
                .to_owned()
        }
        Holder::LedTo(_) | Holder::MayHave => {
            "left at the end, to which nothing in the module points: the host, or who shares the \
             memory, still has the pointers, or has lost them"
                .to_owned()
        }
    };
    let mut finding = finding_of_all(subject, groups, &what)?;
    if let Holder::Has(_) = holder {
        let led_to = sum_of(led_to.iter().map(|(_, group)| *group));
        if led_to.blocks > 0 {
            finding.message += &format!("; {} more hang on these", blocks_text(led_to));
        }
        more.extend([("indirect_blocks", led_to.blocks), ("indirect_bytes", led_to.bytes)]);
    }
    finding.numbers.extend(numbers(&more));
    let advice = "Pass each pointer back to the module's free when you are done with it";
    let advice = match subject.sees_a_part() {
        true => format!("{advice}; unless the module frees it where linmem does not see it."),
        false => format!("{advice}."),
    };
    Some(Finding { code: Code::LeakHostHeld, severity: Severity::Warning, advice, ..finding })
}

/// What findings about several groups have in common: the sum, and the largest one's stack.
fn finding_of_all(subject: &Subject<'_, '_>, groups: &Groups<'_>, what: &str) -> Option<Finding> {
    let ((_, context), largest) = groups.iter().max_by_key(|(_, group)| group.held.bytes)?;
    let all = sum_of(groups.iter().map(|(_, group)| *group));
    let of_them = match groups.len() {
        1 => String::new(),
        _ => format!("; the most, {}, come from here", blocks_text(largest.held)),
    };
    Some(Finding {
        code: Code::StillReachable,
        severity: Severity::Note,
        instance: subject.number,
        message: format!("{} {what}{of_them}", blocks_text(all)),
        numbers: numbers(&[("blocks", all.blocks), ("bytes", all.bytes)]),
        stacks: vec![LabelledStack {
            label: "allocated".to_owned(),
            stack: subject.stacks.of(*context),
        }],
        advice: String::new(),
    })
}

fn not_judged_finding(subject: &Subject<'_, '_>, leaks: &Leaks, reason: &str) -> Option<Finding> {
    let live = sum_of(leaks.groups.values());
    (live.blocks > 0).then(|| Finding {
        code: Code::NotJudged,
        severity: Severity::Note,
        instance: subject.number,
        message: format!("{} alive at the end, leaked or not: {reason}", blocks_text(live)),
        numbers: numbers(&[("blocks", live.blocks), ("bytes", live.bytes)]),
        stacks: Vec::new(),
        advice: "Let the program return from its entry point to have its leaks judged.".to_owned(),
    })
}

fn numbers(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

fn blocks_text(held: Held) -> String {
    let plural = if held.blocks == 1 { "block" } else { "blocks" };
    format!("{} in {} {plural}", bytes(held.bytes), count(held.blocks))
}

fn them(held: Held) -> &'static str {
    if held.blocks == 1 { "it" } else { "them" }
}
