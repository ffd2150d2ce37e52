//! Which of the blocks that are alive at the end nothing points to.
//!
//! A mark over the final memory, conservative as in Valgrind's memcheck: every aligned word that
//! equals a block's address is a pointer to it. The roots are the static data, the part of the
//! shadow stack that is in use, memory that the program grew past its allocator, and the globals.
//! They are complete only when no wasm frame is live, because locals cannot be seen.
//!
//! - *reachable*: a chain of pointers to block starts leads there from a root, or a library of the host keeps it for its
//!   own use
//! - *host-held*: no such chain does, but the address of the block, or of a block that leads to it, came
//!   to the host or from it
//! - *thread-held*: nothing in the memory does, but code of another thread was perhaps running, or was ended when it had
//!   just got the block
//! - *possible*: only a chain with an interior pointer does, and that is not how the block's owner points (`layouts`)
//! - *definite*: nothing points there
//! - *indirect*: only lost blocks point there

mod emptied;
mod findings;
mod kept_by_calls;
mod layouts;
mod mark;
mod middles;
mod once;
mod parts;
mod roots;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::allocator::Header;
use crate::instrument::boundary;
use crate::language::{self, StartUp};
use crate::module::memory_map::MemoryMap;
use crate::prepared::Prepared;
use crate::replay::RecordedInstance;
use crate::replay::contexts::CallerStack;
use crate::replay::heap::{Block, Crossed, Held};
use crate::report::{LeakSummary, Sentence};
use crate::trace::{ContextId, Frame, LiveFrames};

use super::subject::{Memory, Subject};
use super::unseen_events;
pub(crate) use findings::findings;
use mark::{Blocks, Live, Mark};
use roots::Roots;

/// What a live block turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Nothing points to it.
    Definite,
    /// The same of what `realloc(p, 0)` returned instead of freeing.
    Emptied,
    /// Only lost blocks point to it.
    Indirect,
    /// Only interior pointers lead to it.
    Possible,
    /// The host has its address, or may have it.
    HostHeld(Holder),
    /// A finalizer is to free it, or what leads there.
    FinalizerHeld,
    /// Nothing in the memory points to it, but a local of another thread may.
    ThreadHeld,
    /// Nothing in the memory points to it, but a local of a call that never returned may.
    FrameHeld,
    /// Something points to it.
    Reachable,
    /// A library of the host keeps it for its own use.
    Kept,
    /// The language's start-up code allocated it for the whole run.
    Runtime,
}

impl Kind {
    /// Whether nothing at all points to the block.
    fn is_lost(self) -> bool {
        matches!(self, Kind::Definite | Kind::Emptied)
    }

    /// Whether the block is not the program's to free.
    fn is_meant_to_stay(self) -> bool {
        matches!(self, Kind::Kept | Kind::Runtime)
    }

    /// Whether one pointer that linmem cannot see would make it wrong. That the program got a block and never
    /// gave it back stays true.
    fn is_refuted_by_a_pointer(self) -> bool {
        match self {
            Kind::Definite | Kind::Emptied | Kind::Indirect | Kind::Possible => true,
            Kind::HostHeld(Holder::Has(crossing) | Holder::LedTo(crossing)) => {
                !matches!(crossing, Crossed::Returned(_))
            }
            Kind::HostHeld(Holder::MayHave) => true,
            Kind::HostHeld(Holder::HasPart { .. })
            | Kind::FinalizerHeld
            | Kind::ThreadHeld
            | Kind::FrameHeld
            | Kind::Reachable
            | Kind::Kept
            | Kind::Runtime => false,
        }
    }

    /// The kind of what only a block of this kind leads to.
    fn of_what_it_leads_to(self) -> Kind {
        match self {
            Kind::HostHeld(Holder::Has(crossing) | Holder::HasPart { part: crossing, .. }) => {
                Kind::HostHeld(Holder::LedTo(crossing))
            }
            kind => kind,
        }
    }
}

/// Why the host is taken to have a block's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    /// The address crossed.
    Has(Crossed),
    /// The address crossed, and that of an object which the block, or most of those like it, seem to be a part of.
    HasPart { part: Crossed, whole: Crossed },
    /// The address of a block crossed that leads there.
    LedTo(Crossed),
    /// Addresses may cross unseen.
    MayHave,
}

/// The live blocks of a memory, judged.
#[derive(Debug, Default)]
pub(crate) struct Leaks {
    /// Why they could not be judged, if so.
    not_judged: Option<String>,
    groups: BTreeMap<(Kind, ContextId), Group>,
    /// How many of the blocks that each exported function returned something in the module points to.
    pointed_to: BTreeMap<u32, u64>,
}

/// Blocks of one kind from one context.
#[derive(Debug, Default, Clone, Copy)]
struct Group {
    held: Held,
    /// What only these blocks lead to.
    indirect: Held,
    /// How many of them have callers that were looked at.
    looked_at: u64,
    /// How many of them `realloc(p, 0)` returned.
    emptied: u64,
    /// To how many of them words lead that are perhaps left over from earlier blocks.
    left_over: u64,
    /// How many of them are parts of objects.
    parts: u64,
    /// How many of their bytes only blocks lead to that crossed in one way.
    led_to_alone: u64,
    example: u64,
    /// Allocations up to the first of them, and up to the last.
    first: u64,
    last: u64,
}

impl Leaks {
    /// Blocks whose callers were not looked at go to the blocks of the same kind from the only callers that
    /// were seen there. Where no such block has callers, they may have others.
    fn unite_with_seen(&mut self, memory: Memory<'_, '_>) {
        let unseen: Vec<(Kind, ContextId)> =
            self.groups.keys().filter(|(_, place)| !memory.is_looked_at(*place)).copied().collect();
        for (kind, place) in unseen {
            let seen = memory.only_seen(place).map(|seen| (kind, seen));
            let Some(seen) = seen.filter(|seen| self.groups.contains_key(seen)) else { continue };
            if let (Some(group), Some(seen)) =
                (self.groups.remove(&(kind, place)), self.groups.get_mut(&seen))
            {
                seen.held += group.held;
                seen.first = seen.first.min(group.first);
                seen.indirect += group.indirect;
                seen.emptied += group.emptied;
                seen.left_over += group.left_over;
                seen.parts += group.parts;
                seen.led_to_alone += group.led_to_alone;
            }
        }
    }

    /// Blocks and bytes by kind.
    pub fn summary(&self) -> LeakSummary {
        let sum_where = |is_meant: &dyn Fn(Kind) -> bool| {
            sum_of(self.groups.iter().filter(|((kind, _), _)| is_meant(*kind)).map(|(_, g)| g))
        };
        let sum = |kind| sum_where(&|of_group| of_group == kind);
        LeakSummary {
            not_judged: self.not_judged.clone(),
            definite: sum_where(&Kind::is_lost),
            indirect: sum(Kind::Indirect),
            possible: sum(Kind::Possible),
            finalizer_held: sum(Kind::FinalizerHeld),
            thread_held: sum(Kind::ThreadHeld),
            frame_held: sum(Kind::FrameHeld),
            host_held: sum_where(&|kind| matches!(kind, Kind::HostHeld(_))),
            reachable: sum_where(&|kind| matches!(kind, Kind::Reachable | Kind::Kept)),
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

/// What judging blocks starts from: what is known of a module and its allocator.
pub(crate) struct Premises {
    start_up: StartUp,
    /// The functions that are hooked.
    hooked: BTreeSet<u32>,
    /// Static words that only the allocator uses.
    allocators_own: BTreeSet<u64>,
    pub(super) memory_map: MemoryMap,
    /// Whether addresses can come to the host unseen.
    is_open: bool,
    /// What collects garbage.
    collector: Option<&'static str>,
}

impl Premises {
    /// Gathers them.
    pub fn new(prepared: &Prepared<'_>) -> Premises {
        let module = &prepared.module;
        let hooked = prepared.allocator().hooked();
        Premises {
            start_up: StartUp::new(module),
            allocators_own: roots::allocators_own_words(prepared),
            memory_map: MemoryMap::of(module),
            is_open: boundary::is_open(module),
            collector: language::collector(module),
            hooked,
        }
    }
}

/// Blocks and bytes by kind, for each memory.
pub(crate) fn table(subject: &Subject<'_, '_>) -> Vec<LeakSummary> {
    subject.memories().map(|memory| memory.leaks().summary()).collect()
}

/// Judges every live block of a memory.
pub(super) fn judge(memory: Memory<'_, '_>) -> Leaks {
    let blocks = live_blocks(memory);
    let obstacle = obstacle(memory);
    let frames_may_hold = matches!(obstacle, Some(Obstacle::Frames(_)));
    let can_mark = obstacle.is_none() || frames_may_hold;
    let mut leaks = Leaks { not_judged: obstacle.map(Obstacle::text), ..Leaks::default() };
    let addresses: Vec<u64> = blocks.iter().map(|live| live.address).collect();
    let mut put_before = memory.modules().into_iter().map(|f| f.recorded.allocator.put_before);
    let put_before = put_before.find(|bytes| *bytes != 0).unwrap_or_default();
    let live = Blocks { live: &blocks, addresses: &addresses, put_before };
    let mark = marked(memory, live, can_mark);
    let (host_may_hold, threads_may_hold) = (host_may_hold(memory), threads_may_hold(memory));
    let cut_off = cut_off(memory);
    for (index, Live { address, block, .. }) in blocks.iter().enumerate() {
        let is_emptied = memory.heap().is_emptied(*address, block);
        let kind = match mark.kinds[index] {
            _ if is_of_start_up(memory, block.context) => Kind::Runtime,
            _ if memory.heap().is_kept(*address, block) => Kind::Kept,
            kind if frames_may_hold && kind != Kind::Reachable => Kind::FrameHeld,
            kind if kind.is_refuted_by_a_pointer()
                && (threads_may_hold || cut_off.contains(address)) =>
            {
                Kind::ThreadHeld
            }
            Kind::Definite | Kind::Indirect if host_may_hold => Kind::HostHeld(Holder::MayHave),
            Kind::Definite if is_emptied => Kind::Emptied,
            kind => kind,
        };
        if let (Kind::Reachable, Some(Crossed::Returned(function))) = (kind, block.crossed) {
            *leaks.pointed_to.entry(function).or_default() += 1;
        }
        let place = memory.place(block.context);
        let group = leaks.groups.entry((kind, place)).or_default();
        group.held += Held { blocks: 1, bytes: block.size };
        group.indirect += mark.indirect[index];
        group.looked_at += u64::from(memory.is_looked_at(block.context));
        group.emptied += u64::from(is_emptied);
        group.left_over += u64::from(mark.has_left_over[index]);
        group.parts += u64::from(mark.is_part[index]);
        group.led_to_alone += if mark.is_led_to_alone[index] { block.size } else { 0 };
        if group.held.blocks == 1 {
            group.first = block.serial;
        }
        group.first = group.first.min(block.serial);
        group.last = group.last.max(block.serial);
        if group.example == 0 {
            group.example = *address;
        }
    }
    leaks.unite_with_seen(memory);
    leaks
}

/// Whether the start-up code of a language allocates with this stack.
fn is_of_start_up(memory: Memory<'_, '_>, context: ContextId) -> bool {
    let contexts = &memory.subject.replay.contexts;
    let (module, _) = contexts.entry(context);
    let Premises { start_up, hooked, .. } = &memory.subject.module(module).premises;
    if start_up.allocates(contexts.inner(context), |function| hooked.contains(&function)) {
        return true;
    }
    let CallerStack::Taken(stack) = contexts.caller_stack(context) else { return false };
    // Another module that is linked at run time: its function stands there by name.
    matches!(contexts.host(stack).1.first(), Some(Frame::Host(text)) if StartUp::is_of_thread(text))
}

/// The mark over the live blocks, run if they can be judged.
fn marked<'s>(memory: Memory<'s, '_>, blocks: Blocks<'s>, can_judge: bool) -> Mark<'s> {
    let word_bytes = if memory.is_64() { 8 } else { 4 };
    let snapshot = memory.recorded().snapshot.as_ref();
    let mut mark = Mark::new(blocks, snapshot, word_bytes);
    let is_left = |live: &Live| memory.heap().finalizer(live.address, &live.block).is_some();
    let all = blocks.live.iter().enumerate();
    let left = all.filter(|(_, live)| is_left(live)).map(|(block, _)| block);
    let left: Vec<usize> = left.collect();
    if let (Some(snapshot), true) = (snapshot, can_judge) {
        mark.run(&Roots::of(memory, snapshot, blocks, word_bytes), &left);
        parts::tell(&mut mark);
    }
    mark
}

/// The live blocks, as large as they are. An allocator without names may resize blocks unseen, but one that is known
/// by its code writes their size in front of them, rounded up.
fn live_blocks(memory: Memory<'_, '_>) -> Vec<Live> {
    let header = memory.modules().iter().find_map(|facts| facts.recorded.allocator.header());
    let snapshot = memory.recorded().snapshot.as_ref();
    let extent = |address: u64, block: &Block| {
        let header = header?;
        let start = address.checked_sub(Header::BYTES)?;
        let word = snapshot?.words(start, address, Header::BYTES).next();
        Some(header.block_bytes(word?.1).max(block.size))
    };
    let live = memory.heap().live().into_iter();
    live.map(|(address, block)| {
        let extent = extent(address, &block).unwrap_or(block.size);
        let is_rounded = extent - block.size < Header::ROUNDED_BY;
        let asked_for = if is_rounded { block.size } else { extent };
        Live { address, extent, asked_for, block }
    })
    .collect()
}

/// Whether code of another thread may have been running at the end.
fn threads_may_hold(memory: Memory<'_, '_>) -> bool {
    let mut globals = memory.users().filter_map(|user| user.recorded().globals.as_ref());
    globals.any(|globals| globals.live_frames == LiveFrames::OtherThreads)
}

/// The blocks that threads had just got when they were ended: it is not known what they would have done with them.
fn cut_off(memory: Memory<'_, '_>) -> BTreeSet<u64> {
    let recorded = memory.users().map(|user| user.recorded());
    let may_be_ended = |instance: &&RecordedInstance| {
        memory.subject.replay.threads_were_ended
            && instance.globals.is_none()
            && !instance.collected
    };
    recorded.filter(may_be_ended).filter_map(|instance| instance.last_given).collect()
}

/// Whether the host may hold any block, because addresses may have crossed unseen.
fn host_may_hold(memory: Memory<'_, '_>) -> bool {
    let taken = memory.users().any(|user| user.recorded().functions_taken);
    taken || memory.modules().iter().any(|facts| facts.premises.is_open)
}

/// Why blocks cannot be judged.
enum Obstacle {
    /// Too little is known.
    Blind(String),
    /// Locals of calls that never returned may point to them.
    Frames(Sentence),
}

impl Obstacle {
    fn text(self) -> String {
        match self {
            Obstacle::Blind(reason) => reason,
            Obstacle::Frames(reason) => reason.with([]),
        }
    }
}

/// Why the blocks cannot be judged, if that is so.
fn obstacle(memory: Memory<'_, '_>) -> Option<Obstacle> {
    let blind = |reason: Sentence| Some(Obstacle::Blind(reason.with([])));
    if let Some(reason) = unseen_events::reason(memory) {
        return Some(Obstacle::Blind(reason.text().to_owned()));
    }
    let replay = memory.subject.replay;
    let or_of_worker = |sentence| match replay.is_of_workers {
        true => blind(Sentence::ThreadEnded),
        false => blind(sentence),
    };
    let is_collected = memory.is_gone();
    let may_go_on = memory.subject.replay.truncated && !is_collected;
    if memory.heap().totals().at_end.blocks == 0 && !may_go_on {
        // Nothing was left, so there is nothing to judge.
        return None;
    }
    if let Some(collector) = memory.modules().iter().find_map(|facts| facts.premises.collector) {
        return Some(Obstacle::Blind(Sentence::CollectsGarbage.with([collector])));
    }
    let mut globals = memory.users().filter_map(|user| user.recorded().globals.as_ref());
    match (&memory.recorded().snapshot, &replay.end) {
        (None, _) if is_collected => blind(Sentence::InstanceCollected),
        // The last parts of the memory may be missing.
        _ if replay.truncated => or_of_worker(Sentence::StopsEarly),
        (None, _) => or_of_worker(Sentence::NoSnapshot),
        (Some(_), Some(crate::replay::End::Trap { .. })) => {
            Some(Obstacle::Frames(Sentence::FramesOfTrap))
        }
        (Some(_), _) if globals.any(|globals| globals.live_frames == LiveFrames::Own) => {
            Some(Obstacle::Frames(Sentence::FramesOfExit))
        }
        _ => None,
    }
}
