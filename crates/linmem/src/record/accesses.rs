//! Accesses that checks found not to be right: the log in, records out.

use rustc_hash::FxHashMap;

use super::{Guest, Recorder};
use crate::instrument::{LOG_ENTRIES, LOG_ENTRY_BYTES};
use crate::trace::{BadAccess, ContextId, Event, Frame, Record};

/// How often the stack of an instruction's bad accesses is looked at; later ones have the last of them.
const STACKS_OF_INSTRUCTION: u32 = 64;

/// What is known of bad accesses.
#[derive(Default)]
pub(super) struct Accesses {
    /// The contexts of each module that have these frames.
    contexts: FxHashMap<(usize, Vec<Frame>), ContextId>,
    /// By module and instruction: how often the stack was looked at, and its context.
    of_instruction: FxHashMap<(usize, u32), (u32, ContextId)>,
}

/// Reads the log after so many accesses. What the same instruction did is one, of all times that the log has room for.
fn read(log: &[u8], logged: u64) -> Vec<BadAccess> {
    let mut accesses: Vec<BadAccess> = Vec::new();
    let mut place: FxHashMap<(u32, bool), usize> = FxHashMap::default();
    for number in logged.saturating_sub(LOG_ENTRIES)..logged {
        let start = (number % LOG_ENTRIES * LOG_ENTRY_BYTES) as usize;
        let Some(entry) = log.get(start..start + LOG_ENTRY_BYTES as usize) else { break };
        let word = |at: usize| {
            u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]])
        };
        let (instruction, what) = (word(0), word(4));
        let address = u64::from(word(8)) | u64::from(word(12)) << 32;
        let is_write = what & 1 != 0;
        let next = accesses.len();
        let known = *place.entry((instruction, is_write)).or_insert(next);
        if known == next {
            let (bytes, context) = (u64::from(what >> 1), ContextId(0));
            accesses.push(BadAccess { instruction, is_write, bytes, address, times: 0, context });
        }
        accesses[known].times += 1;
    }
    accesses
}

impl Recorder {
    /// Records what is in the log. Each access is of a function that is on the stack.
    #[cold]
    pub(super) fn bad_accesses(&mut self, instance: usize, logged: u64, guest: &mut dyn Guest) {
        self.record_accesses(instance, logged, None, guest);
    }

    /// Records what is left in the log after the program has trapped with this stack.
    pub fn last_accesses(&mut self, instance: usize, frames: &[Frame], guest: &mut dyn Guest) {
        let logged = guest.logged();
        self.record_accesses(instance, logged.into(), Some(frames), guest);
    }

    fn record_accesses(
        &mut self,
        instance: usize,
        logged: u64,
        trapped: Option<&[Frame]>,
        guest: &mut dyn Guest,
    ) {
        let accesses = read(guest.log(), logged);
        for mut access in accesses {
            access.context = self.context_of_access(instance, &access, trapped, guest);
            self.select(instance);
            self.writer.event(&Event::BadAccess(access));
        }
    }

    fn context_of_access(
        &mut self,
        instance: usize,
        access: &BadAccess,
        trapped: Option<&[Frame]>,
        guest: &mut dyn Guest,
    ) -> ContextId {
        let module = self.instances[instance].module;
        let instruction = (module, access.instruction);
        let looked_at = self.accesses.of_instruction.get(&instruction);
        if let Some((_, context)) = looked_at.filter(|(times, _)| *times >= STACKS_OF_INSTRUCTION) {
            return *context;
        }
        let (stack, caller) = match trapped {
            Some(frames) => (frames.to_vec(), None),
            None => {
                let mut backtrace = guest.backtrace();
                (std::mem::take(&mut backtrace.inner), backtrace.into_caller())
            }
        };
        let frames = self.modules[module].frames_of_access(access.instruction, stack);
        let context = match self.accesses.contexts.get(&(module, frames.clone())) {
            Some(context) => *context,
            None => {
                let (context, is_new) = self.contexts.define_alone();
                if is_new {
                    self.writer.record(&Record::Context { frames: frames.clone() });
                }
                self.accesses.contexts.insert((module, frames), context);
                context
            }
        };
        if trapped.is_none() {
            self.tell_caller(instance, context, caller, guest);
        }
        let times = self.accesses.of_instruction.entry(instruction).or_insert((0, context));
        *times = (times.0 + 1, context);
        context
    }
}

/// The frames of an access, given those of the stack after it: what its function has called meanwhile has returned or is
/// not to blame.
pub(super) fn frames_of_access(
    function: Option<u32>,
    instruction: u32,
    stack: Vec<Frame>,
) -> Vec<Frame> {
    let Some(function) = function else { return stack };
    let own = stack.iter().position(|frame| frame.function() == Some(function));
    let callers = own.map_or(stack.len(), |own| own + 1);
    let own = Frame::Wasm { function, offset: Some(instruction) };
    std::iter::once(own).chain(stack.into_iter().skip(callers)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(instruction: u32, what: u32, address: u64) -> Vec<u8> {
        let words = [instruction.to_le_bytes(), what.to_le_bytes()].concat();
        [words, address.to_le_bytes().to_vec()].concat()
    }

    #[test]
    fn what_one_instruction_did_is_one_access() {
        let log =
            [entry(7, 4 << 1, 16), entry(9, 1 << 1 | 1, 1 << 33), entry(7, 4 << 1, 20)].concat();
        let accesses = read(&log, 3);
        let told = |access: &BadAccess| {
            (access.instruction, access.is_write, access.bytes, access.address, access.times)
        };
        let told: Vec<_> = accesses.iter().map(told).collect();
        assert_eq!(told, [(7, false, 4, 16, 2), (9, true, 1, 1 << 33, 1)]);
        assert_eq!(read(&log, 2).len(), 2);
        assert_eq!(read(&[], 5), []);
    }

    #[test]
    fn of_a_full_log_the_last_entries_are_read() {
        let mut log: Vec<u8> = (0..LOG_ENTRIES as u32).flat_map(|n| entry(n, 2, 0)).collect();
        log[..16].copy_from_slice(&entry(5, 2, 8));
        let accesses = read(&log, LOG_ENTRIES + 1);
        assert_eq!(accesses.len(), LOG_ENTRIES as usize - 1);
        let last = accesses.iter().find(|access| access.instruction == 5).unwrap();
        assert_eq!((last.times, last.address), (2, 0));
    }

    #[test]
    fn the_stack_begins_in_the_function_of_the_instruction() {
        let wasm = |function, offset| Frame::Wasm { function, offset };
        let stack = vec![wasm(9, Some(90)), wasm(4, Some(40)), wasm(2, Some(20))];
        let frames = frames_of_access(Some(4), 44, stack.clone());
        assert_eq!(frames, [wasm(4, Some(44)), wasm(2, Some(20))]);
        assert_eq!(frames_of_access(Some(5), 55, stack), [wasm(5, Some(55))]);
    }
}
