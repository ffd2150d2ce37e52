//! Misuse of the allocator: double and invalid frees, wrong sizes, overlapping blocks.

use std::collections::BTreeMap;

use crate::allocator::{AllocatorFunction, Effect};
use crate::replay::heap::{Concerned, Misuse, MisuseKind};
use crate::report::{Code, Finding, Remedy, Severity};
use crate::trace::Frame;
use crate::units::{bytes, count};

use super::subject::{Memory, Subject};
use super::{older_blocks, unseen_events};

/// One finding for each kind of misuse with its stacks, most frequent first.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    subject.memories().flat_map(of_memory).collect()
}

fn of_memory(memory: Memory<'_, '_>) -> Vec<Finding> {
    if unseen_events::reason(memory).is_some() {
        return Vec::new();
    }
    let mut recorded: Vec<&Misuse> =
        memory.heap().misuse().filter(|misuse| !older_blocks::is_of_one(memory, misuse)).collect();
    let mut called_by_allocator = BTreeMap::new();
    recorded.retain(|misuse| !is_by_allocator(memory, misuse, &mut called_by_allocator));
    recorded.sort_by_key(|m| (m.context, m.block.map(|b| b.allocated), m.pointer));
    let place = |context| memory.place(context);
    let mut merged = BTreeMap::new();
    for misuse in recorded {
        let block = misuse.block.map(|b| (place(b.allocated), b.freed.map(place)));
        let key = (misuse.kind, place(misuse.context), block);
        let first = merged.entry(key).or_insert(Misuse { times: 0, ..*misuse });
        first.times += misuse.times;
    }
    let mut misuse: Vec<Misuse> = merged.into_values().collect();
    misuse.sort_by_key(|m| (m.kind, std::cmp::Reverse(m.times), m.context));
    misuse.iter().map(|misuse| finding(memory, misuse)).collect()
}

/// Whether a function that `malloc` itself calls gave back a pointer that was not handed out: an allocator may have blocks
/// of its own, which no function that is hooked has allocated. mimalloc frees those of a thread when it ends.
/// `called` has, by module, which functions those are.
fn is_by_allocator(
    memory: Memory<'_, '_>,
    misuse: &Misuse,
    called: &mut BTreeMap<usize, Vec<bool>>,
) -> bool {
    if misuse.block.is_some()
        || !matches!(misuse.kind, MisuseKind::InvalidFree | MisuseKind::InvalidRealloc)
    {
        return false;
    }
    let contexts = &memory.subject.replay.contexts;
    let (module, _) = contexts.entry(misuse.context);
    let facts = memory.subject.module(module);
    let hooked = facts.recorded.allocator.hooked();
    let mut functions = contexts.inner(misuse.context).iter().filter_map(Frame::function);
    let Some(caller) = functions.find(|function| !hooked.contains(function)) else { return false };
    let called = called.entry(module).or_insert_with(|| {
        let allocates = |f: &&AllocatorFunction| f.role.effect() != Effect::Frees;
        let allocating = facts.recorded.allocator.functions.iter().filter(allocates);
        // Only calls that are certain: what a function pointer leads to may be the program's.
        let functions = facts.prepared.module.functions.len();
        let is_of_type = |node: u32| node as usize >= functions;
        facts.prepared.graph.reachable(allocating.map(|f| f.function), is_of_type)
    });
    called.get(caller as usize).is_some_and(|is_called| *is_called)
}

fn finding(memory: Memory<'_, '_>, misuse: &Misuse) -> Finding {
    let block = misuse.block.as_ref();
    let (code, message, advice) = what(misuse);
    let times = match misuse.times {
        1 => String::new(),
        times => format!(" ({} times)", count(times)),
    };
    let mut finding = Finding::new(code)
        .about(memory.first_user())
        .message(message + &times)
        .advice(advice)
        .number("times", misuse.times)
        .number("pointer", misuse.pointer);
    if let Some(block) = block {
        finding = finding.number("block_address", block.address).number("block_bytes", block.size);
    }
    if is_doubtful(memory, misuse) {
        finding = finding
            .severity(Severity::Warning)
            .advice(
                "Or allocator code that no hook sees had a part in it: the report lists how memory \
                 can be had past the hooks. If so, say which functions those are.",
            )
            .remedy(Remedy::NameAllocatorFunctions);
    }
    with_stacks(finding, memory, misuse)
}

/// The code, what happened, and what to do about it.
fn what(misuse: &Misuse) -> (Code, String, &'static str) {
    let block = misuse.block.as_ref();
    match misuse.kind {
        MisuseKind::DoubleFree => (
            Code::DoubleFree,
            format!("a block{} was freed again", of_size(block)),
            "Free each block once; set the pointer to NULL where it is freed.",
        ),
        MisuseKind::InvalidFree => (
            Code::InvalidFree,
            format!("{:#x} was freed, which is no block{}", misuse.pointer, position(misuse)),
            "Pass free the pointer that malloc returned, unchanged.",
        ),
        MisuseKind::ReallocOfFreed => (
            Code::ReallocOfFreed,
            format!("a block{} was reallocated after it had been freed", of_size(block)),
            "realloc needs a live block; keep only the pointer it returned last.",
        ),
        MisuseKind::InvalidRealloc => (
            Code::InvalidRealloc,
            format!("{:#x} was reallocated, which is no block{}", misuse.pointer, position(misuse)),
            "Pass realloc the pointer that malloc returned, unchanged.",
        ),
        MisuseKind::WrongSize => (
            Code::WrongSize,
            format!("a block{} was given back as one of {}", of_size(block), bytes(misuse.passed)),
            "Deallocate with the layout that the block was allocated with.",
        ),
        MisuseKind::WrongAlignment => (
            Code::WrongAlignment,
            format!(
                "a block{} with alignment {} was given back with alignment {}",
                of_size(block),
                block.map_or(0, |block| block.align),
                misuse.passed,
            ),
            "Deallocate with the layout that the block was allocated with.",
        ),
        MisuseKind::Overlap => (
            Code::Overlap,
            format!(
                "the allocator handed out {} at {:#x}, which overlaps a live block{} at {:#x}",
                bytes(misuse.passed),
                misuse.pointer,
                of_size(block),
                block.map_or(0, |block| block.address),
            ),
            "Two owners share this memory: the allocator is broken, or its own data was \
             overwritten, for example by a write past the end of a block.",
        ),
    }
}

/// Whether allocations or frees that were not seen could explain it all.
fn is_doubtful(memory: Memory<'_, '_>, misuse: &Misuse) -> bool {
    memory.sees_a_part()
        && match misuse.kind {
            MisuseKind::InvalidFree | MisuseKind::InvalidRealloc => misuse.block.is_none(),
            MisuseKind::DoubleFree | MisuseKind::ReallocOfFreed | MisuseKind::Overlap => true,
            MisuseKind::WrongSize | MisuseKind::WrongAlignment => false,
        }
}

fn with_stacks(finding: Finding, memory: Memory<'_, '_>, misuse: &Misuse) -> Finding {
    let offence = match misuse.kind {
        MisuseKind::DoubleFree => "freed again",
        MisuseKind::InvalidFree => "freed",
        MisuseKind::ReallocOfFreed | MisuseKind::InvalidRealloc => "reallocated",
        MisuseKind::WrongSize | MisuseKind::WrongAlignment => "given back",
        MisuseKind::Overlap => "handed out",
    };
    let mut finding = finding.stack(offence, memory.stack(misuse.context));
    let Some(block) = misuse.block else { return finding };
    if let Some(freed) = block.freed {
        finding = finding.stack("freed before", memory.stack(freed));
    }
    finding.stack("allocated", memory.stack(block.allocated))
}

fn of_size(block: Option<&Concerned>) -> String {
    block.map_or(String::new(), |block| format!(" of {}", bytes(block.size)))
}

/// Where a pointer points that is not a block.
fn position(misuse: &Misuse) -> String {
    match misuse.block {
        None => String::new(),
        Some(block) if block.address == misuse.pointer => {
            format!(": it lies in a live block of {}", bytes(block.size))
        }
        Some(block) => format!(
            ": it points {} into a block of {} at {:#x}",
            bytes(misuse.pointer - block.address),
            bytes(block.size),
            block.address,
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::analyze::recording::Recording;
    use crate::report::Code;
    use crate::trace::{Frame, Record};

    /// `malloc` calls 2 when there is no more memory, which gives back a block of the allocator's own; 3 is the program's.
    const WITH_OWN_BLOCKS: &str = r#"(module (memory 2) (table 1 funcref) (elem (i32.const 0) func $program)
        (type $handler (func))
        (func $malloc (export "malloc") (param i32) (result i32)
          (call $give_back) (call_indirect (type $handler) (i32.const 0)) (memory.grow (i32.const 1)))
        (func $free (export "free") (param i32))
        (func $give_back (call $free (i32.const 0x3000)))
        (func $program (export "work") (call $free (i32.const 0x3000))))"#;

    fn codes(frames: &[u32]) -> Vec<Code> {
        let mut recording = Recording::of(&[("a.wasm", WITH_OWN_BLOCKS)], &[]);
        let frames = frames.iter().map(|&function| Frame::Wasm { function, offset: None });
        recording.0.record(&Record::Context { frames: frames.collect() });
        recording.instance(0);
        recording.free(0x3000);
        recording.snapshot(0);
        let report = recording.finish().report().unwrap();
        report.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn an_allocator_may_give_back_blocks_of_its_own() {
        assert_eq!(codes(&[1, 2]), []);
        assert_eq!(codes(&[1, 3]), [Code::InvalidFree], "what a function pointer may lead to");
        assert_eq!(codes(&[1, 3, 2]), [Code::InvalidFree]);
        assert_eq!(codes(&[]), [Code::InvalidFree]);
    }
}
