//! Accesses of memory that are not right, where accesses are checked.

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use crate::replay::heap::{AccessError, AccessKind, Accessor, Concerned};
use crate::report::{Code, Finding, Remedy};
use crate::trace::Frame;
use crate::units::{bytes, count, number_of};

use super::lines::in_parentheses;
use super::subject::{Memory, Subject};
use super::unseen_events;

/// One finding for each cause, by kind and then in the order in which they came.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    subject.memories().flat_map(of_memory).collect()
}

fn of_memory(memory: Memory<'_, '_>) -> Vec<Finding> {
    let place = |context| memory.place(context);
    let sees_all = unseen_events::reason(memory).is_none();
    let mut recorded: Vec<&AccessError> = memory.heap().access_errors().collect();
    // What came first may have led to the others.
    recorded.sort_by_key(|error| error.nth);
    let mut merged: FxHashMap<_, usize> = FxHashMap::default();
    let mut errors: Vec<(Code, AccessError)> = Vec::new();
    for error in recorded {
        let code = code(memory, error);
        let knows_heap =
            memory.subject.instance(error.instance).recorded().checked.unwrap_or(false);
        let knows_blocks = knows_heap && sees_all && !error.is_after_snapshot;
        if needs_blocks(memory, error) && !knows_blocks {
            continue;
        }
        let block = error.block.map(|b| (place(b.allocated), b.freed.map(place)));
        let is_write = error.access.is_write;
        let key = (code, error.access.by, is_write, place(error.access.context), block);
        match merged.entry(key) {
            Entry::Occupied(known) => errors[*known.get()].1.times += error.times,
            Entry::Vacant(new) => {
                new.insert(errors.len());
                errors.push((code, *error));
            }
        }
    }
    let mut findings: Vec<Cause> = Vec::new();
    for (code, error) in errors {
        let same = findings.iter_mut().find(|cause| cause.explains(memory, code, &error));
        match same {
            Some(cause) => cause.others.push(error),
            None => findings.push(Cause { code, first: error, others: Vec::new() }),
        }
    }
    let mut findings = with_freed_blocks(memory, findings);
    findings.sort_by_key(|cause| cause.code);
    let causes = findings.iter().map(|cause| finding(memory, cause));
    let not_seen = unchecked(memory, sees_all).into_iter().chain(functions_unchecked(memory));
    not_seen.chain(causes).collect()
}

/// What leaves a block goes on also through freed blocks: what instructions that left blocks did to these, in the same places,
/// is not told by itself.
fn with_freed_blocks(memory: Memory<'_, '_>, findings: Vec<Cause>) -> Vec<Cause> {
    let place = |error: &AccessError| (error.access.by, memory.place(error.access.context));
    let (freed, mut findings): (Vec<Cause>, Vec<Cause>) =
        findings.into_iter().partition(|cause| cause.code == Code::UseAfterFree);
    for cause in freed {
        let explains = |left: &Cause| {
            let places: BTreeSet<_> = left.errors().map(place).collect();
            cause.errors().all(|error| places.contains(&place(error)))
        };
        let mut left = findings.iter_mut().filter(|left| left.leaves_a_block());
        match left.find(|left| explains(left)) {
            Some(left) => left.others.extend(cause.errors().copied()),
            None => findings.push(cause),
        }
    }
    findings
}

/// Whether accesses near NULL were found.
pub(super) fn are_near_null(memory: Memory<'_, '_>) -> bool {
    memory.heap().access_errors().any(|error| code(memory, error) == Code::NullAccess)
}

/// What says that accesses of the heap were not checked, where others were.
fn unchecked(memory: Memory<'_, '_>, sees_all: bool) -> Option<Finding> {
    let checked: Vec<bool> = memory.users().filter_map(|user| user.recorded().checked).collect();
    let finding = Finding::new(Code::AccessesUnchecked).about(memory.first_user());
    if checked.iter().any(|knows_heap| !knows_heap || !sees_all) {
        let message = if memory.users().any(|user| user.facts().prepared.null_bytes() > 0) {
            "accesses of the heap were not checked, only those near NULL: blocks may be allocated and freed \
             where linmem does not see it"
        } else {
            "accesses were not checked: nothing is known of the module's allocator, nor whether it uses the memory \
             near NULL"
        };
        let finding = finding.message(message).advice(
            "Say which functions allocate and free, all of them; or link without inlining them.",
        );
        return Some(finding.remedy(Remedy::NameAllocatorFunctions));
    }
    let is_put_back = !checked.is_empty() && !memory.heap().overwritten().is_empty();
    is_put_back.then(|| {
        let message = "accesses of the heap were not checked any more, only those near NULL, once the host had written \
                       over the allocator's state: which blocks there are is not known then";
        finding.message(message).advice("Check the program without snapshots of its memory.")
    })
}

/// What says that accesses in some functions were not checked, because engines would refuse them with checks.
fn functions_unchecked(memory: Memory<'_, '_>) -> Option<Finding> {
    let names: BTreeSet<String> = memory
        .users()
        .flat_map(|user| {
            let functions = user.recorded().unchecked.iter();
            functions.map(move |&function| user.facts().prepared.function_name(function))
        })
        .collect();
    let first = names.first()?;
    let functions = match names.len() - 1 {
        0 => first.clone(),
        others => format!("{first} and {}", number_of(others as u64, "other function")),
    };
    let message = format!(
        "accesses in {functions} were not checked: with checks the code would be larger than engines take"
    );
    let finding = Finding::new(Code::FunctionsUnchecked).about(memory.first_user());
    let finding = finding.number("functions", names.len() as u64).message(message);
    Some(finding.advice("Compile it without inlining so much into it, if you can."))
}

/// What went wrong once, with all accesses that followed.
struct Cause {
    code: Code,
    first: AccessError,
    others: Vec<AccessError>,
}

impl Cause {
    /// Whether it explains another access, in a call of the same function by the host.
    fn explains(&self, memory: Memory<'_, '_>, code: Code, error: &AccessError) -> bool {
        let contexts = &memory.subject.replay.contexts;
        let block = |error: &AccessError| {
            let block = error.block.filter(|_| code != Code::NullAccess)?;
            Some((memory.place(block.allocated), block.freed.map(|freed| memory.place(freed))))
        };
        let entry = |error: &AccessError| contexts.entry(error.access.context);
        let function = |error: &AccessError| {
            let frames = contexts.inner(error.access.context).first();
            frames.and_then(Frame::function)
        };
        let is_same = self.code == code && block(&self.first) == block(error);
        let is_of_same_function =
            function(&self.first).is_some() && function(&self.first) == function(error);
        let explains = match code {
            // A block that was freed too early is often used by much code.
            Code::UseAfterFree => is_same && error.block.is_some(),
            // A pointer that is NULL, or an end that is wrong, is used in many places of a function.
            Code::NullAccess => is_same && is_of_same_function,
            // What leaves a block goes on through all that is behind it: one instruction, or one call of `memcpy`.
            Code::HeapOverflow | Code::HeapUnderflow | Code::UnallocatedAccess => {
                let is_same_instruction = self.first.access.by == error.access.by
                    && memory.place(self.first.access.context)
                        == memory.place(error.access.context);
                let callers = |error: &AccessError| {
                    let callers = contexts.inner(error.access.context).get(1..);
                    callers.filter(|callers| !callers.is_empty())
                };
                let is_same_call = is_of_same_function
                    && callers(error).is_some()
                    && callers(&self.first) == callers(error)
                    && function(error).is_some_and(|function| is_leaf(memory, error, function));
                self.leaves_a_block() && (is_same_instruction || is_same_call)
                    || is_same && is_of_same_function
            }
            _ => false,
        };
        explains && entry(&self.first) == entry(error)
    }

    fn errors(&self) -> impl Iterator<Item = &AccessError> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn leaves_a_block(&self) -> bool {
        matches!(self.code, Code::HeapOverflow | Code::HeapUnderflow)
    }

    /// The other instructions.
    fn instructions(&self) -> usize {
        let others = self.others.iter().map(|error| error.access.by);
        let mut others: Vec<_> = others.filter(|by| *by != self.first.access.by).collect();
        others.sort_unstable();
        others.dedup();
        others.len()
    }

    fn times(&self) -> u64 {
        self.errors().map(|error| error.times).sum()
    }
}

/// Whether a function calls none.
fn is_leaf(memory: Memory<'_, '_>, error: &AccessError, function: u32) -> bool {
    let module = memory.subject.instance(error.instance).module();
    let body = module.functions.get(function as usize).and_then(|found| found.body.as_ref());
    body.is_some_and(|body| !body.sites.iter().any(|site| site.kind.is_call()))
}

/// Whether it is near address 0, where lies nothing, whatever else is near.
fn is_near_null(memory: Memory<'_, '_>, error: &AccessError) -> bool {
    error.access.address < memory.subject.instance(error.instance).facts().prepared.null_bytes()
}

/// Whether it is an error only if all blocks of the heap are known.
fn needs_blocks(memory: Memory<'_, '_>, error: &AccessError) -> bool {
    error.kind != AccessKind::Outside && !is_near_null(memory, error)
}

fn code(memory: Memory<'_, '_>, error: &AccessError) -> Code {
    match error.kind {
        AccessKind::Overwritten => Code::BlockOverwritten,
        _ if !matches!(error.access.by, Accessor::Instruction(_)) => Code::HostAccess,
        _ if is_near_null(memory, error) => Code::NullAccess,
        AccessKind::Outside => Code::UnallocatedAccess,
        AccessKind::Freed => Code::UseAfterFree,
        AccessKind::Behind => Code::HeapOverflow,
        AccessKind::Before => Code::HeapUnderflow,
        AccessKind::Unallocated => Code::UnallocatedAccess,
    }
}

fn finding(memory: Memory<'_, '_>, cause: &Cause) -> Finding {
    let Cause { code, first: error, .. } = cause;
    let (code, access) = (*code, &error.access);
    let is_near_null = is_near_null(memory, error);
    let block = error.block.filter(|_| !is_near_null);
    let verb = if access.is_write { "written" } else { "read" };
    let (what, label) = match access.by {
        _ if code == Code::BlockOverwritten => ("changed from outside".to_owned(), "found"),
        Accessor::Instruction(_) => (verb.to_owned(), verb),
        Accessor::Import(function) => {
            let module = memory.subject.instance(error.instance).module();
            let import = module.function_import(function);
            (format!("{verb} by `{}`", import.map_or("an import", |import| import.name)), verb)
        }
        Accessor::Host => (format!("{verb} by the host"), verb),
    };
    let what = format!("{} {what}", bytes(access.bytes));
    let line = in_parentheses(&memory.stack(access.context));
    let line = match code {
        Code::BlockOverwritten => format!(", found afterwards{line}"),
        _ => line,
    };
    let or_more = if memory.heap().misses_accesses() { " or more" } else { "" };
    let times = match (cause.times(), cause.instructions()) {
        (1, _) => String::new(),
        (times, 0) => format!("; {} times{or_more}", count(times)),
        (times, others) => format!(
            "; {} more {}, {} times{or_more} in all",
            number_of(others as u64, "instruction"),
            match (code, others) {
                (Code::UseAfterFree, 1) => "accesses such blocks",
                (Code::UseAfterFree, _) => "access such blocks",
                (_, 1) => "does so",
                _ => "do so",
            },
            count(times)
        ),
    };
    let goes_on = cause.leaves_a_block() && cause.errors().any(|e| e.kind == AccessKind::Freed);
    let times = if goes_on { format!("{times}, also in freed blocks") } else { times };
    let place = match (error.kind, block) {
        (AccessKind::Outside, _) => {
            format!("at {:#x}, which reach past the end of the memory", access.address)
        }
        (_, Some(block)) => place(error.kind, access.address, access.bytes, block),
        _ if is_near_null => {
            format!("at {:#x}, near NULL, where the module has nothing", access.address)
        }
        _ => format!("at {:#x}, where no block is", access.address),
    };
    let mut finding = Finding::new(code)
        .about(error.instance)
        .message(format!("{what} {place}{line}{times}"))
        .advice(advice(code))
        .number("times", cause.times())
        .number("address", access.address)
        .number("bytes", access.bytes)
        .stack(label, memory.stack(access.context));
    if let Some(block) = block {
        finding = finding.number("block_address", block.address).number("block_bytes", block.size);
        if let Some(freed) = block.freed {
            finding = finding.stack("freed", memory.stack(freed));
        }
        finding = finding.stack("allocated", memory.stack(block.allocated));
    }
    finding
}

/// Where an access was of a block, or beside it, in words.
fn place(kind: AccessKind, address: u64, size: u64, block: Concerned) -> String {
    let is_freed = kind == AccessKind::Freed;
    let what = format!("a {}block of {}", if is_freed { "freed " } else { "" }, bytes(block.size));
    let (start, end) = (block.address, block.address.saturating_add(block.size));
    let access_end = address.saturating_add(size);
    if address < start {
        // What reaches into a block that is alive is wrong because of what lies in front of it.
        return match is_freed && access_end > start {
            true => format!("across the start of {what}"),
            false => format!("{} before the start of {what}", bytes(start - address)),
        };
    }
    match address - start {
        0 if is_freed => format!("at the start of {what}"),
        offset if is_freed && address < end => format!("{} into {what}", bytes(offset)),
        // It begins inside.
        _ if address < end => {
            let past = access_end - end;
            let verb = if past == 1 { "is" } else { "are" };
            format!("of which {} {verb} past the end of {what}", bytes(past))
        }
        _ => match address - end {
            0 => format!("just past the end of {what}"),
            distance => format!("{} past the end of {what}", bytes(distance)),
        },
    }
}

fn advice(code: Code) -> &'static str {
    match code {
        Code::UseAfterFree => {
            "Free the block after its last use, and set what points to it to NULL there."
        }
        Code::HeapOverflow => {
            "Compare the index with the block's size; a string needs a byte more than its length."
        }
        Code::HeapUnderflow => "Compare the index with the block's start.",
        Code::NullAccess => {
            "Look at where the pointer comes from: a result that can be NULL, or a 0 that the host passes for an address."
        }
        Code::HostAccess => {
            "Look at what the host is given: the pointer, whether its block is alive, and the length."
        }
        Code::BlockOverwritten => {
            "No checked instruction of the module wrote there, so it was the host, as a rule. Compare what it writes with \
             the block's size; a string needs a byte more than its length."
        }
        _ => {
            "No allocation that is alive or was freed lately is near: the pointer is wild, or stale."
        }
    }
}

#[cfg(test)]
mod tests;
