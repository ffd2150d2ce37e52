//! Accesses of memory that are not right, where accesses are checked.

use std::collections::BTreeMap;

use crate::replay::heap::{AccessError, AccessKind, Concerned};
use crate::report::{Code, Finding, Remedy};
use crate::units::{bytes, count, number_of};

use super::lines::in_parentheses;
use super::subject::{Memory, Subject};
use super::unseen_events;

/// One finding for each kind with its stacks, most frequent first.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    subject.memories().flat_map(of_memory).collect()
}

fn of_memory(memory: Memory<'_, '_>) -> Vec<Finding> {
    let place = |context| memory.place(context);
    let sees_all = unseen_events::reason(memory).is_none();
    let mut recorded: Vec<&AccessError> = memory.heap().access_errors().collect();
    recorded.sort_by_key(|error| {
        (error.access.instruction, error.kind, error.access.address, error.access.context)
    });
    let mut merged: BTreeMap<_, (Code, AccessError)> = BTreeMap::new();
    for error in recorded {
        let code = code(memory, error);
        let knows_heap =
            memory.subject.instance(error.instance).recorded().checked.unwrap_or(false);
        if code != Code::NullAccess && !(knows_heap && sees_all) {
            continue;
        }
        let block = error.block.map(|b| (place(b.allocated), b.freed.map(place)));
        let is_write = error.access.is_write;
        let key = (code, error.access.instruction, is_write, place(error.access.context), block);
        let first = merged.entry(key).or_insert((code, AccessError { times: 0, ..*error }));
        first.1.times += error.times;
    }
    let mut errors: Vec<(Code, AccessError)> = merged.into_values().collect();
    // What came first may have led to the others.
    errors.sort_by_key(|(code, error)| (*code, error.access.context, error.access.instruction));
    let mut findings: Vec<Cause> = Vec::new();
    for (code, error) in errors {
        let same = findings.iter_mut().find(|cause| cause.explains(memory, code, &error));
        match same {
            Some(cause) => cause.others.push(error),
            None => findings.push(Cause { code, first: error, others: Vec::new() }),
        }
    }
    let causes = findings.iter().map(|cause| finding(memory, cause));
    unchecked(memory, sees_all).into_iter().chain(causes).collect()
}

/// Whether accesses near NULL were found.
pub(super) fn are_near_null(memory: Memory<'_, '_>) -> bool {
    memory.heap().access_errors().any(|error| code(memory, error) == Code::NullAccess)
}

/// What says that accesses of the heap were not checked, where others were.
fn unchecked(memory: Memory<'_, '_>, sees_all: bool) -> Option<Finding> {
    let mut checked = memory.users().filter_map(|user| user.recorded().checked);
    let message = "accesses of the heap were not checked, only those near NULL: blocks may be allocated and freed where \
                   linmem does not see it";
    checked.any(|knows_heap| !knows_heap || !sees_all).then(|| {
        Finding::new(Code::AccessesUnchecked)
            .about(memory.first_user())
            .message(message)
            .advice("Say which functions allocate and free, all of them; or link without inlining them.")
            .remedy(Remedy::NameAllocatorFunctions)
    })
}

/// What went wrong once, with all accesses that followed.
struct Cause {
    code: Code,
    first: AccessError,
    others: Vec<AccessError>,
}

impl Cause {
    /// Whether it explains another access: of blocks that were allocated and freed in the same places, in a call of the same
    /// function by the host. A block that was freed too early is often used by much code.
    fn explains(&self, memory: Memory<'_, '_>, code: Code, error: &AccessError) -> bool {
        let places = |error: &AccessError| {
            let block = error.block?;
            Some((memory.place(block.allocated), memory.place(block.freed?)))
        };
        let entry =
            |error: &AccessError| memory.subject.replay.contexts.entry(error.access.context);
        code == Code::UseAfterFree
            && self.code == code
            && places(&self.first) == places(error)
            && entry(&self.first) == entry(error)
    }

    fn times(&self) -> u64 {
        self.first.times + self.others.iter().map(|error| error.times).sum::<u64>()
    }
}

/// What an access was of. Near address 0 lies nothing, whatever else is near.
fn code(memory: Memory<'_, '_>, error: &AccessError) -> Code {
    let module = memory.subject.instance(error.instance).module();
    match error.kind {
        _ if error.access.address < module.low_memory_bytes() => Code::NullAccess,
        AccessKind::Freed => Code::UseAfterFree,
        AccessKind::Behind => Code::HeapOverflow,
        AccessKind::Before => Code::HeapUnderflow,
        AccessKind::Unallocated => Code::UnallocatedAccess,
    }
}

fn finding(memory: Memory<'_, '_>, cause: &Cause) -> Finding {
    let Cause { code, first: error, others } = cause;
    let (code, access) = (*code, &error.access);
    let block = error.block.filter(|_| code != Code::NullAccess);
    let what = match access.is_write {
        true => format!("{} written", bytes(access.bytes)),
        false => format!("{} read", bytes(access.bytes)),
    };
    let line = in_parentheses(&memory.stack(access.context));
    let times = match (cause.times(), others.len()) {
        (1, _) => String::new(),
        (times, 0) => format!("; {} times", count(times)),
        (times, others) => format!(
            "; {} more access such blocks, {} times in all",
            number_of(others as u64, "instruction"),
            count(times)
        ),
    };
    let place = place(code, access.address, access.bytes, block);
    let mut finding = Finding::new(code)
        .about(error.instance)
        .message(format!("{what} {place}{line}{times}"))
        .advice(advice(code))
        .number("times", cause.times())
        .number("address", access.address)
        .number("bytes", access.bytes)
        .stack(if access.is_write { "written" } else { "read" }, memory.stack(access.context));
    if let Some(block) = block {
        finding = finding.number("block_address", block.address).number("block_bytes", block.size);
        if let Some(freed) = block.freed {
            finding = finding.stack("freed", memory.stack(freed));
        }
        finding = finding.stack("allocated", memory.stack(block.allocated));
    }
    finding
}

/// Where an access was, in words.
fn place(code: Code, address: u64, size: u64, block: Option<Concerned>) -> String {
    let Some(block) = block else {
        return match code {
            Code::NullAccess => format!("at {address:#x}, near NULL, where the module has nothing"),
            _ => format!("at {address:#x}, where no block is"),
        };
    };
    let of_size = format!("of {}", bytes(block.size));
    let end = block.address.saturating_add(block.size);
    match code {
        Code::UseAfterFree if address >= block.address => match address - block.address {
            0 => format!("at the start of a freed block {of_size}"),
            offset => format!("{} into a freed block {of_size}", bytes(offset)),
        },
        Code::UseAfterFree => format!("across the start of a freed block {of_size}"),
        Code::HeapUnderflow => {
            let distance = block.address - address;
            format!("{} before the start of a block {of_size}", bytes(distance))
        }
        // It begins inside.
        _ if address < end => {
            let past = address.saturating_add(size) - end;
            let verb = if past == 1 { "is" } else { "are" };
            format!("of which {} {verb} past the end of a block {of_size}", bytes(past))
        }
        _ => match address - end {
            0 => format!("just past the end of a block {of_size}"),
            distance => format!("{} past the end of a block {of_size}", bytes(distance)),
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
        Code::NullAccess => "Look at the result of what can return NULL before it is used.",
        _ => {
            "No allocation that is alive or was freed lately is near: the pointer is wild, or stale."
        }
    }
}

#[cfg(test)]
mod tests;
