//! Which of the blocks that are alive at the end nothing points to.
//!
//! A mark over the final memory, conservative as in Valgrind's memcheck: every aligned word that
//! equals a block's address is a pointer to it. The roots are the static data, the part of the
//! shadow stack that is in use, memory that the program grew past its allocator, and the globals.
//! They are complete only when no wasm frame is live, because locals cannot be seen.
//!
//! - *reachable*: a chain of pointers to block starts leads there from a root
//! - *possible*: only a chain with an interior pointer does
//! - *definite*: nothing points there
//! - *indirect*: only lost blocks point there
//! - *host-held*: nothing in the guest points there, but an export returned the address

use std::collections::{BTreeMap, BTreeSet};

use crate::call_graph::CallGraph;
use crate::event::ContextId;
use crate::heap::{Block, Held};
use crate::layout::Layout;
use crate::module::{Body, Module, Site, SiteKind};
use crate::replay::Snapshot;
use crate::report::text::{bytes, count};
use crate::report::{Code, Finding, LabelledStack, LeakSummary, Severity};
use crate::trace::Frame;

use super::Subject;

/// What a live block turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing points to it.
    Definite,
    /// Only lost blocks point to it.
    Indirect,
    /// Only interior pointers lead to it.
    Possible,
    /// The host has its address.
    HostHeld,
    /// Something points to it.
    Reachable,
    /// The language's start-up code allocated it for the whole run.
    Runtime,
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
        let sum = |kind| {
            let groups = self.groups.range((kind, ContextId(0))..=(kind, ContextId(u32::MAX)));
            sum_of(groups.map(|(_, group)| group))
        };
        LeakSummary {
            not_judged: self.not_judged.clone(),
            definite: sum(Kind::Definite),
            indirect: sum(Kind::Indirect),
            possible: sum(Kind::Possible),
            host_held: sum(Kind::HostHeld),
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

/// Judges every live block of an instance.
pub fn find(subject: &Subject<'_>) -> Leaks {
    let blocks: Vec<(u64, Block)> =
        subject.instance.heap.live().iter().map(|(address, block)| (*address, *block)).collect();
    let is_64 = subject.module.memories.first().is_some_and(|memory| memory.is_64);
    let word_bytes = if is_64 { 8 } else { 4 };
    let mut leaks = Leaks { not_judged: not_judged(subject), ..Leaks::default() };
    let mut mark = Mark::new(&blocks, subject.instance.snapshot.as_ref(), word_bytes);
    if leaks.not_judged.is_none() {
        mark.run(subject);
    }
    let start_up = StartUp::new(subject.module);
    let allocator = &subject.recorded.allocator;
    let runtime = |context| {
        start_up.allocates(subject.replay.stack(context), |f| allocator.role(f).is_some())
    };
    for (index, (address, block)) in blocks.iter().enumerate() {
        let kind = if runtime(block.context) { Kind::Runtime } else { mark.kinds[index] };
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

/// Why the blocks cannot be judged, if that is so.
fn not_judged(subject: &Subject<'_>) -> Option<String> {
    let reason = match (&subject.instance.snapshot, &subject.replay.end) {
        (None, _) => "the recording ends before the program did",
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

/// The mark over memory.
struct Mark<'a> {
    /// By address.
    blocks: &'a [(u64, Block)],
    snapshot: Option<&'a Snapshot>,
    word_bytes: u64,
    kinds: Vec<Kind>,
    seen: Vec<bool>,
    /// For each definitely lost block, what only it leads to.
    indirect: Vec<Held>,
}

impl<'a> Mark<'a> {
    fn new(
        blocks: &'a [(u64, Block)],
        snapshot: Option<&'a Snapshot>,
        word_bytes: u64,
    ) -> Mark<'a> {
        Mark {
            blocks,
            snapshot,
            word_bytes,
            // What is not judged counts as reachable.
            kinds: vec![Kind::Reachable; blocks.len()],
            seen: vec![false; blocks.len()],
            indirect: vec![Held::default(); blocks.len()],
        }
    }

    fn run(&mut self, subject: &Subject<'_>) {
        let roots = self.root_words(subject);
        let starts = roots.iter().filter_map(|&word| self.block_at(word)).collect();
        self.spread(starts, Kind::Reachable, false);
        let reached: Vec<usize> = (0..self.blocks.len()).filter(|&b| self.seen[b]).collect();
        let interior = roots.iter().filter_map(|&word| self.block_around(word));
        let through_blocks = reached.iter().flat_map(|&b| self.pointers(b, true));
        let possible = interior.chain(through_blocks).collect();
        self.spread(possible, Kind::Possible, true);
        let held = (0..self.blocks.len()).filter(|&b| self.blocks[b].1.host_held).collect();
        self.spread(held, Kind::HostHeld, true);
        self.judge_lost();
    }

    /// Marks what `pending` leads to and is not marked yet.
    fn spread(&mut self, mut pending: Vec<usize>, kind: Kind, interior: bool) {
        while let Some(block) = pending.pop() {
            if !std::mem::replace(&mut self.seen[block], true) {
                self.kinds[block] = kind;
                pending.extend(self.pointers(block, interior));
            }
        }
    }

    /// Lost blocks that no other lost block leads to are definite, and so is one block of every
    /// cycle; what they lead to is indirect.
    fn judge_lost(&mut self) {
        let lost: Vec<usize> = (0..self.blocks.len()).filter(|&b| !self.seen[b]).collect();
        for &leader in &lost {
            if self.seen[leader] {
                continue;
            }
            self.seen[leader] = true;
            self.kinds[leader] = Kind::Definite;
            let mut below = Held::default();
            let mut pending: Vec<usize> = self.pointers(leader, true).collect();
            while let Some(block) = pending.pop() {
                if block == leader {
                    continue;
                }
                if !self.seen[block] {
                    self.seen[block] = true;
                    pending.extend(self.pointers(block, true));
                } else if self.kinds[block] != Kind::Definite {
                    continue;
                }
                // A block that was taken for a leader turns out to hang below this one.
                self.kinds[block] = Kind::Indirect;
                below += Held { blocks: 1, bytes: self.blocks[block].1.size };
                below += std::mem::take(&mut self.indirect[block]);
            }
            self.indirect[leader] = below;
        }
    }

    /// The blocks that the words of a block point to.
    fn pointers(&self, block: usize, interior: bool) -> impl Iterator<Item = usize> + use<'a> {
        let (address, Block { size, .. }) = self.blocks[block];
        let (blocks, word_bytes) = (self.blocks, self.word_bytes);
        let end = address.saturating_add(size);
        let words = self.snapshot.into_iter().flat_map(move |s| s.words(address, end, word_bytes));
        words.filter_map(move |(_, word)| {
            if interior { block_around(blocks, word) } else { block_at(blocks, word) }
        })
    }

    fn block_at(&self, address: u64) -> Option<usize> {
        block_at(self.blocks, address)
    }

    fn block_around(&self, address: u64) -> Option<usize> {
        block_around(self.blocks, address)
    }

    /// The words of the roots that could be pointers to blocks.
    fn root_words(&self, subject: &Subject<'_>) -> Vec<u64> {
        let Some(snapshot) = self.snapshot else { return Vec::new() };
        let stack_pointer = subject.module.stack_pointer();
        let globals = snapshot.globals.iter();
        let mut words: Vec<u64> = globals
            .filter(|(index, _)| Some(*index) != stack_pointer.map(u64::from))
            .map(|(_, value)| *value)
            .collect();
        let allocators_own = allocators_own_words(subject);
        for (start, end) in root_ranges(subject, snapshot) {
            // The words of live blocks are not roots, wherever the blocks lie.
            let candidates = snapshot.words(start, end, self.word_bytes);
            words.extend(
                candidates
                    .filter(|&(_, word)| self.block_around(word).is_some())
                    .filter(|&(address, _)| self.block_around(address).is_none())
                    .filter(|(address, _)| !allocators_own.contains(address))
                    .map(|(_, word)| word),
            );
        }
        words
    }
}

fn block_at(blocks: &[(u64, Block)], address: u64) -> Option<usize> {
    blocks.binary_search_by_key(&address, |(start, _)| *start).ok()
}

fn block_around(blocks: &[(u64, Block)], address: u64) -> Option<usize> {
    let after = blocks.partition_point(|(start, _)| *start <= address);
    let (start, block) = blocks[after.checked_sub(1)?];
    let inside = address - start < block.size.max(1);
    (inside && !is_next_chunk(address, start + block.size)).then_some(after - 1)
}

/// Whether an address is rather that of the next block's header. In dlmalloc a header overlaps
/// the last word of the block before, and the allocator's own tables point to headers.
fn is_next_chunk(address: u64, block_end: u64) -> bool {
    address.is_multiple_of(8) && block_end - address <= 4
}

/// Static words that only the allocator uses: its counts and the bounds of its heap look like
/// pointers into blocks, and are none.
fn allocators_own_words(subject: &Subject<'_>) -> BTreeSet<u64> {
    let functions = &subject.module.functions;
    let inside = allocators_own_functions(subject);
    let words = |own: bool| {
        let bodies = functions.iter().zip(&inside).filter(move |(_, inside)| **inside == own);
        bodies.filter_map(|(function, _)| function.body.as_ref()).flat_map(|b| &b.static_words)
    };
    let others: BTreeSet<u64> = words(false).copied().collect();
    words(true).copied().filter(|word| !others.contains(word)).collect()
}

/// For each function, whether it is hooked or called by such functions alone.
fn allocators_own_functions(subject: &Subject<'_>) -> Vec<bool> {
    let module = subject.module;
    let hooked = |f: u32| subject.recorded.allocator.role(f).is_some();
    let roots = module.exported_functions().map(|(_, function)| function).chain(module.start);
    let roots = roots.chain(module.address_taken.iter().copied());
    // Whatever can be reached without passing a hooked function is somebody else's too.
    let reached = CallGraph::new(module).reachable(roots, hooked);
    (0..module.functions.len()).map(|function| !reached[function]).collect()
}

/// Where roots lie: static data, the used part of the shadow stack, and pages that the program
/// grew past its allocator. What is below the stack pointer is dead.
fn root_ranges(subject: &Subject<'_>, snapshot: &Snapshot) -> Vec<(u64, u64)> {
    let module = subject.module;
    let heap = &subject.instance.heap;
    let layout = Layout::of(module);
    let memory_end = snapshot.pages.saturating_mul(crate::module::PAGE_BYTES);
    let data_end = module.data_end().unwrap_or(0);
    let static_end = layout
        .heap_base
        .or_else(|| heap.lowest_address().filter(|lowest| *lowest >= data_end))
        .unwrap_or(if data_end > 0 { data_end } else { memory_end })
        .min(memory_end);
    let mut ranges = heap.own_growth().to_vec();
    match layout.stack {
        None => ranges.push((0, static_end)),
        Some(stack) => {
            let pointer = u64::from(stack.pointer);
            let now = snapshot.globals.iter().find(|(index, _)| *index == pointer);
            let now = now.map_or(stack.range.end, |(_, value)| (*value).min(stack.range.end));
            ranges.push((0, stack.range.start.min(static_end)));
            ranges.push((now.max(stack.range.start), static_end));
        }
    }
    ranges.retain(|(start, end)| start < end);
    ranges
}

/// What a language's start-up code allocates for the program's arguments, environment and
/// directories lives as long as the program. It is known by where it is allocated.
struct StartUp {
    /// Code between asking WASI for the sizes of a list and asking for the list: `(function,
    /// from, to)`, offsets in the file.
    between: Vec<(u32, usize, usize)>,
    /// Functions that ask for the directories: what they and their callees allocate.
    preopens: Vec<u32>,
}

impl StartUp {
    /// Callers between a function that asks for directories and the allocator.
    const DEPTH: usize = 5;

    fn new(module: &Module<'_>) -> StartUp {
        let asks = |name: &str| -> Vec<u32> {
            let imports: Vec<u32> = (0..module.imported_functions())
                .filter(|&f| module.function_import(f).is_some_and(|import| import.name == name))
                .collect();
            // wasi-libc calls an import through a function that does nothing else.
            let thin = callers(module, &imports).filter(|(_, body)| body.sites.len() == 1);
            imports.iter().copied().chain(thin.map(|(function, _)| function)).collect()
        };
        let mut between = Vec::new();
        for (sizes, list) in
            [("args_sizes_get", "args_get"), ("environ_sizes_get", "environ_get")]
        {
            let (sizes, list) = (asks(sizes), asks(list));
            for (function, body) in callers(module, &list) {
                let from = body.sites.iter().find(|site| calls(site, &sizes));
                let to = body.sites.iter().rfind(|site| calls(site, &list));
                if let (Some(from), Some(to)) = (from, to) {
                    between.push((function, from.offset, to.offset));
                }
            }
        }
        let exported: Vec<u32> = module.exported_functions().map(|(_, f)| f).collect();
        let prestat = asks("fd_prestat_get");
        let preopens = callers(module, &prestat).map(|(function, _)| function);
        let preopens = preopens.filter(|function| !exported.contains(function)).collect();
        StartUp { between, preopens }
    }

    /// Whether start-up code allocates with this stack, of which `is_allocator` knows the
    /// innermost functions.
    fn allocates(&self, stack: &[Frame], is_allocator: impl Fn(u32) -> bool) -> bool {
        let frames = stack.iter().filter_map(|frame| match *frame {
            Frame::Wasm { function, offset } if !is_allocator(function) => Some((function, offset)),
            _ => None,
        });
        let mut frames = frames.take(Self::DEPTH).peekable();
        let lists = frames.peek().is_some_and(|&(function, offset)| {
            let offset = offset.unwrap_or_default() as usize;
            let inside = |(f, from, to): &(u32, usize, usize)| {
                *f == function && (*from..=*to).contains(&offset)
            };
            self.between.iter().any(inside)
        });
        lists || frames.any(|(function, _)| self.preopens.contains(&function))
    }
}

/// The functions that call one of `callees` directly.
fn callers<'m>(
    module: &'m Module<'_>,
    callees: &[u32],
) -> impl Iterator<Item = (u32, &'m Body)> {
    let functions = (0..).zip(&module.functions);
    let bodies = functions.filter_map(|(index, function)| Some((index, function.body.as_ref()?)));
    bodies.filter(|(_, body)| body.sites.iter().any(|site| calls(site, callees)))
}

fn calls(site: &Site, callees: &[u32]) -> bool {
    match site.kind {
        SiteKind::Call(callee) | SiteKind::ReturnCall(callee) => callees.contains(&callee),
        _ => false,
    }
}

/// One finding for each kind and call stack, most bytes first.
pub fn findings(subject: &Subject<'_>, leaks: &Leaks) -> Vec<Finding> {
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
    let mut findings: Vec<Finding> = lost
        .into_iter()
        .map(|(&(kind, context), group)| leak_finding(subject, kind, context, group))
        .collect();
    findings.extend(reachable_finding(subject, &reachable));
    findings
}

fn leak_finding(subject: &Subject<'_>, kind: Kind, context: ContextId, group: &Group) -> Finding {
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
        Kind::HostHeld => (
            Code::LeakHostHeld,
            Severity::Warning,
            format!("{held} returned to the host by an export and never freed"),
            "The host must pass the pointer back to the module's free.",
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

/// One note for all that is still reachable, with the largest stack.
fn reachable_finding(
    subject: &Subject<'_>,
    groups: &[(&(Kind, ContextId), &Group)],
) -> Option<Finding> {
    let ((_, context), largest) = groups.first()?;
    let all = sum_of(groups.iter().map(|(_, group)| *group));
    let of_them = match groups.len() {
        1 => String::new(),
        _ => format!("; the most, {}, come from here", blocks_text(largest.held)),
    };
    Some(Finding {
        code: Code::StillReachable,
        severity: Severity::Note,
        instance: subject.number,
        message: format!("{} still pointed to at the end{of_them}", blocks_text(all)),
        numbers: numbers(&[("blocks", all.blocks), ("bytes", all.bytes)]),
        stacks: vec![LabelledStack {
            label: "allocated".to_owned(),
            stack: subject.stacks.of(*context),
        }],
        advice: "Not a leak as long as it does not grow with the work done.".to_owned(),
    })
}

fn not_judged_finding(subject: &Subject<'_>, leaks: &Leaks, reason: &str) -> Option<Finding> {
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
