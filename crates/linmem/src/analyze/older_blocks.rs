//! Blocks that are older than the run: a module that was initialised before (Wizer, wasi-vfs) has them in its
//! data.

use crate::replay::heap::{Misuse, MisuseKind};
use crate::report::{Code, Finding};
use crate::units::{self, number_of};

use super::lines::in_parentheses;
use super::subject::{Memory, Subject};
use super::unseen_events;

/// One finding for each memory in which such blocks were freed or reallocated.
pub(crate) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    let memories = subject.memories();
    memories.flat_map(|memory| [restored(memory), finding(memory)]).flatten().collect()
}

/// The host wrote over the allocator's state.
fn restored(memory: Memory<'_, '_>) -> Option<Finding> {
    let times = memory.heap().overwritten();
    let stack = memory.stack(*times.first()?);
    let message = format!(
        "the host wrote over the allocator's state {}{}, as one does who puts back a snapshot: what had been \
         allocated by then is not judged",
        units::times(times.len() as u64),
        in_parentheses(&stack),
    );
    let finding = Finding::new(Code::StateOverwritten).about(memory.first_user()).message(message);
    Some(
        finding.number("times", times.len() as u64).stack("written", stack).advice(
            "Nothing is to be done: only what was allocated after the last time is judged.",
        ),
    )
}

fn finding(memory: Memory<'_, '_>) -> Option<Finding> {
    if unseen_events::reason(memory).is_some() {
        return None;
    }
    let older = memory.heap().misuse().filter(|misuse| is_of_one(memory, misuse));
    let blocks: u64 = older.map(|misuse| misuse.times).sum();
    let times = usize::try_from(blocks).ok().filter(|times| *times > 0)?;
    let was = if times == 1 { "was" } else { "were" };
    let message = format!(
        "{} older than the run {was} freed or reallocated: the module has them in its data, as its \
         allocator's state was saved before",
        number_of(times, "block")
    );
    let finding = Finding::new(Code::OlderBlocks).about(memory.first_user()).message(message);
    Some(
        finding
            .number("blocks", blocks)
            .advice("Nothing is to be done: only what is allocated in the run is judged."),
    )
}

/// Whether a pointer that was not handed out in this run is that of a block in the module's data, in front of which
/// dlmalloc has left its word: the size of the chunk, and in the lower bits what is in use.
pub(super) fn is_of_one(memory: Memory<'_, '_>, misuse: &Misuse) -> bool {
    const WORD_BYTES: u64 = 4;
    const SMALLEST_CHUNK: u64 = 16;
    const IN_USE: u64 = 2;
    if misuse.block.is_none() && !memory.heap().overwritten().is_empty() {
        return true;
    }
    if misuse.block.is_some()
        || !matches!(misuse.kind, MisuseKind::InvalidFree | MisuseKind::InvalidRealloc)
        || memory.is_64()
    {
        return false;
    }
    let modules = memory.modules();
    let head = misuse.pointer.checked_sub(WORD_BYTES).and_then(|address| {
        modules.iter().find_map(|facts| facts.initial.word(address, WORD_BYTES))
    });
    let Some(head) = head else { return false };
    let size = head & !7;
    size >= SMALLEST_CHUNK && head & IN_USE != 0 && {
        // The whole chunk lies in the data, or behind it where all is zero.
        let end = misuse.pointer.saturating_sub(8).saturating_add(size);
        end <= memory.recorded().initial_pages.saturating_mul(crate::module::PAGE_BYTES)
    }
}
