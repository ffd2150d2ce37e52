//! Memories of which not all events were recorded: what depends on all of them is not judged.

use crate::allocator::{Allocator, Effect};
use crate::replay::heap::MisuseKind;
use crate::report::{Code, Finding, Remedy};
use crate::trace::{ContextId, Sharing};
use crate::units::number_of;

use super::subject::{Memory, ModuleFacts, Subject};

/// Functions that are named.
const MOST_NAMES: usize = 3;

/// One finding for each such memory.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    subject.memories().filter_map(finding).collect()
}

fn finding(memory: Memory<'_, '_>) -> Option<Finding> {
    let reason = reason(memory)?;
    let finding = match &reason {
        Reason::Threads(_) => Finding::new(Code::EventsMissing)
            .advice("Let threads end by themselves, and let the program end after them."),
        Reason::Allocator(_) => Finding::new(Code::AllocationsUnseen)
            .advice("Say which functions allocate and free, all of them.")
            .remedy(Remedy::NameAllocatorFunctions),
    };
    let message = format!("{}: misuse and leaks are not judged", reason.text());
    Some(finding.about(memory.first_user()).message(message))
}

/// Why events of a memory are missing.
pub(super) enum Reason {
    /// Threads share it.
    Threads(&'static str),
    /// Not the whole allocator was seen.
    Allocator(String),
}

impl Reason {
    /// The reason in words.
    pub(super) fn text(&self) -> &str {
        match self {
            Reason::Threads(text) => text,
            Reason::Allocator(text) => text,
        }
    }
}

/// Why events of a memory are missing, if so.
pub(super) fn reason(memory: Memory<'_, '_>) -> Option<Reason> {
    let of_allocator = || {
        strangers(memory)
            .or_else(|| lonely(memory))
            .or_else(|| parts_of_blocks(memory))
            .or_else(|| part_given_back(memory))
            .or_else(|| impossible_history(memory))
    };
    of_threads(memory).map(Reason::Threads).or_else(|| of_allocator().map(Reason::Allocator))
}

fn of_threads(memory: Memory<'_, '_>) -> Option<&'static str> {
    match memory.recorded().sharing {
        Sharing::Private => None,
        Sharing::Unknown => {
            Some("threads share the memory, and linmem could not find out which of them do")
        }
        Sharing::Shared(_) if memory.subject.replay.has_holes => {
            Some("threads share the memory, and some of their events were not recorded")
        }
        Sharing::Shared(_) if may_be_unknown(memory) => {
            Some("threads share a memory of which linmem could not find out whether it is this one")
        }
        Sharing::Shared(_) => None,
    }
}

/// Whether a thread has told events of a shared memory that may be this one.
fn may_be_unknown(memory: Memory<'_, '_>) -> bool {
    memory.subject.replay.memories.iter().any(|memory| memory.sharing == Sharing::Unknown)
}

/// Whether others write what the allocator keeps to itself, and may have run. Then an address can be handed out
/// twice, and a block be freed that nobody allocated, in a program that is right.
fn strangers(memory: Memory<'_, '_>) -> Option<String> {
    let (facts, strangers) = memory.modules().into_iter().find_map(|facts| {
        let strangers = strangers_that_may_have_run(memory, facts);
        (!strangers.is_empty()).then_some((facts, strangers))
    })?;
    let allocator = &facts.recorded.allocator;
    let names = strangers.iter().take(MOST_NAMES);
    let names: Vec<String> =
        names.map(|&stranger| format!("`{}`", facts.prepared.function_name(stranger))).collect();
    let more = strangers.len() - names.len();
    let more = if more > 0 {
        format!(" and {}", number_of(more, "other function"))
    } else {
        String::new()
    };
    let frees = allocator.functions.iter().any(|hooked| hooked.role.effect() != Effect::Allocates);
    let none_frees = if frees { "" } else { "no function that frees was found, and " };
    Some(format!(
        "{none_frees}{}{more} also {} what the allocator keeps of its blocks, so that not all allocations and \
         frees are seen",
        names.join(", "),
        if strangers.len() == 1 { "writes" } else { "write" },
    ))
}

/// Whether blocks are seen to be allocated and none to be freed, and there is a function that frees: linmem cannot tell which.
fn lonely(memory: Memory<'_, '_>) -> Option<String> {
    if memory.heap().totals().allocations == 0 {
        return None;
    }
    memory.modules().into_iter().find_map(|facts| {
        let Allocator { functions, lonely, .. } = &facts.recorded.allocator;
        let sees_no_free = !functions.iter().any(|hooked| hooked.role.effect() == Effect::Frees);
        let name = facts.prepared.function_name(*lonely.first().filter(|_| sees_no_free)?);
        Some(format!(
            "no function that frees is hooked, and `{name}` frees blocks of an allocator that was not found, so that not all \
             allocations and frees are seen"
        ))
    })
}

/// Whether a function has allocated that gives out parts of blocks: a part that is freed is not the block that was seen.
fn parts_of_blocks(memory: Memory<'_, '_>) -> Option<String> {
    let mut sites = memory.heap().sites();
    let name = sites
        .find_map(|(context, _)| on_stack(memory, context, |allocator| &allocator.aligning))?;
    Some(format!(
        "`{name}` gives out parts of the blocks that it allocates, so that not all allocations and frees are seen"
    ))
}

/// The name of the first of some of the allocator's functions on a stack. Of a stack that was not taken nothing is known, so
/// any of them may be on it.
fn on_stack(
    memory: Memory<'_, '_>,
    context: ContextId,
    functions: impl Fn(&Allocator) -> &[u32],
) -> Option<String> {
    let contexts = &memory.subject.replay.contexts;
    let facts = memory.subject.module(contexts.entry(context).0);
    let frames = contexts.inner(context);
    let is_on = |function: u32| frames.iter().any(|frame| frame.function() == Some(function));
    let mut functions = functions(&facts.recorded.allocator).iter();
    let function = functions.find(|&&function| frames.is_empty() || is_on(function))?;
    Some(facts.prepared.function_name(*function))
}

/// Whether a part of a block was given back that a function has allocated which works on the allocator's blocks itself: it
/// may have given out that part, as `aligned_alloc` does, which the compiler has put into it.
fn part_given_back(memory: Memory<'_, '_>) -> Option<String> {
    let name = memory.heap().misuse().find_map(|misuse| {
        let is_given_back =
            matches!(misuse.kind, MisuseKind::InvalidFree | MisuseKind::InvalidRealloc);
        let block = misuse.block.filter(|_| is_given_back)?;
        on_stack(memory, block.allocated, |allocator| &allocator.resizing)
    })?;
    Some(format!(
        "`{name}` works on the allocator's blocks itself, and a part of one that it allocated was given back, so that not \
         all allocations and frees are seen"
    ))
}

/// Whether memory was handed out twice that nobody was seen to free, where blocks can be freed or had unseen: then
/// it is linmem that misses something.
fn impossible_history(memory: Memory<'_, '_>) -> Option<String> {
    let mut misuse = memory.heap().misuse();
    if !misuse.any(|misuse| misuse.kind == MisuseKind::Overlap) {
        return None;
    }
    memory.modules().into_iter().find_map(|facts| {
        let Allocator { functions, unseen, .. } = &facts.recorded.allocator;
        let frees = functions.iter().any(|hooked| hooked.role.effect() == Effect::Frees);
        let why = match unseen.first() {
            _ if functions.is_empty() => return None,
            _ if !frees => "no function that frees was found".to_owned(),
            Some(unseen) => format!(
                "`{}` can grow the memory past the functions that are hooked",
                facts.prepared.function_name(unseen.grower)
            ),
            None => return None,
        };
        Some(format!(
            "memory was handed out again that nobody was seen to free, and {why}, so that not all allocations and \
             frees are seen"
        ))
    })
}

/// The strangers that a call can have reached: a library exports much that a program never calls, such as
/// `mallinfo`.
fn strangers_that_may_have_run(memory: Memory<'_, '_>, facts: &ModuleFacts<'_, '_>) -> Vec<u32> {
    let strangers = &facts.recorded.allocator.strangers;
    if strangers.is_empty() || memory.subject.replay.truncated {
        return strangers.clone();
    }
    let module = &facts.prepared.module;
    let called =
        |function: &u32| memory.users().any(|user| user.recorded().times(*function).is_some());
    let exported = module.exported_functions().map(|(_, function)| function).filter(called);
    let taken = module.address_taken.iter().copied().chain(module.start);
    let hooked = facts.recorded.allocator.hooked();
    let reached =
        facts.prepared.graph.reachable(exported.chain(taken), |node| hooked.contains(&node));
    strangers.iter().copied().filter(|&stranger| reached[stranger as usize]).collect()
}

#[cfg(test)]
mod tests {
    use crate::analyze::recording::Recording;
    use crate::report::Code;
    use crate::trace::{Crossing, Event, Frame, Record};

    /// The callee frees what it is given, by a function of which the compiler left only the export for the host.
    #[test]
    fn leaks_are_not_judged_where_only_functions_that_allocate_are_hooked() {
        let codes = |free: &str| {
            let text = format!(
                r#"(module (memory 2)
                    (func (export "malloc") (param i32) (result i32) unreachable) {free})"#
            );
            let mut recording = Recording::of(&[("a.wasm", &text)], &["malloc"]);
            recording.instance(0);
            recording.allocate(0x1000, 3, 0);
            let crossing = Crossing::Returned(0);
            recording.0.event(&Event::Crossed { pointer: 0x1000, crossing });
            recording.snapshot(0);
            let report = recording.finish().report().unwrap();
            report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>()
        };
        let of_rust = r#"(func (export "__wbindgen_free") (param i32 i32))"#;
        assert_eq!(codes(of_rust), [Code::AllocationsUnseen, Code::NotJudged]);
        assert_eq!(codes(r#"(func (export "free") (param i32))"#), [Code::LeakHostHeld]);
        assert_eq!(codes(""), [Code::LeakHostHeld], "nothing in it frees");
    }

    /// Function 0 is `malloc`, 3 has a `memalign` in it, and 4 calls it.
    const WITH_MEMALIGN: &str = r#"(module (memory 2)
        (func $m (param i32) (result i32) (local $padded i32)
          (local.set $padded (i32.and (i32.add (local.get 0) (i32.const 11)) (i32.const -8)))
          (if (i32.le_u (local.get 0) (i32.const 244)) (then (return (i32.load (i32.const 2000)))))
          (if (i32.ge_u (local.get 0) (i32.const -64)) (then (return (i32.load (i32.const 2004)))))
          (drop (memory.grow (i32.const 1)))
          (i32.add (i32.load (i32.const 2008)) (i32.load (i32.const 2012))))
        (func (param i32))
        (func $d (param i32 i32)
          (i32.store (i32.const 2000) (i32.const 1)) (i32.store (i32.const 2004) (i32.const 1))
          (i32.store (i32.const 2008) (i32.const 1)) (i32.store (i32.const 2012) (i32.const 1)))
        (func $aligned (export "aligned") (param i32) (result i32)
          (local.set 0 (call $m (i32.const 100)))
          (drop (i32.and (i32.load (i32.sub (local.get 0) (i32.const 4))) (i32.const -8)))
          (call $d (local.get 0) (i32.const 8))
          (i32.and (i32.add (local.get 0) (i32.const 15)) (i32.const -16)))
        (func (export "work") (drop (call $m (i32.const 8))) (drop (call $aligned (i32.const 8)))))"#;

    /// The codes of what is found where these functions allocate a block, part of which is freed.
    fn codes(frames: &[u32]) -> Vec<Code> {
        let mut recording = Recording::of(&[("a.wasm", WITH_MEMALIGN)], &[]);
        let frames = frames.iter().map(|&function| Frame::Wasm { function, offset: None });
        recording.0.record(&Record::Context { frames: frames.collect() });
        recording.instance(0);
        recording.call(4, 1);
        recording.allocate(0x1000, 100, 0);
        recording.free(0x1008);
        recording.snapshot(0);
        let report = recording.finish().report().unwrap();
        report.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn blocks_are_judged_where_no_part_of_one_was_given_out() {
        assert_eq!(codes(&[0, 4]), [Code::InvalidFree, Code::LeakDefinite]);
        assert_eq!(codes(&[0, 3, 4]), [Code::AllocationsUnseen, Code::NotJudged]);
        assert_eq!(
            codes(&[]),
            [Code::AllocationsUnseen, Code::NotJudged],
            "a stack that is not known"
        );
    }
}
