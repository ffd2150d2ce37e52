//! Accesses that checks found not to be right.

use rustc_hash::FxHashMap;

use super::{Guest, Recorder};
use crate::instrument::hooks::Hook;
use crate::trace::{AccessedBy, BadAccess, ContextId, Event, Frame, Record};

/// How often the stack of an instruction's bad accesses is looked at; later ones have the last of them.
const STACKS_OF_INSTRUCTION: u32 = 64;

/// What is known of bad accesses.
#[derive(Default)]
pub(super) struct Accesses {
    /// The contexts of each module that have these frames.
    contexts: FxHashMap<(usize, Vec<Frame>), ContextId>,
    /// By module and instruction: how often the stack was looked at, and its context.
    of_instruction: FxHashMap<(usize, u32), (u32, ContextId)>,
    /// Where the program has trapped.
    trapped: Option<Vec<Frame>>,
}

/// Whether the host has passed an address near 0 as its first argument, and the access is there: old glue of wasm-bindgen has
/// results stored at 8, and a host may put data there itself. The second argument may be how many bytes.
fn was_passed([first, second, ..]: [u64; Hook::VALUES], address: u64) -> bool {
    const LOWEST: u64 = 4;
    const NEAR_NULL: u64 = 1024;
    const RESULTS: u64 = 16;
    let end = first.saturating_add(second.max(RESULTS));
    first >= LOWEST && address < NEAR_NULL && (first..end).contains(&address)
}

impl Recorder {
    /// The program has trapped with this stack: what the host is told of accesses now, happened before.
    pub fn trapped_at(&mut self, frames: &[Frame]) {
        self.accesses.trapped = Some(frames.to_vec());
    }

    /// Records an access whose function is on the stack.
    #[cold]
    pub(super) fn bad_access(
        &mut self,
        instance: usize,
        instruction: u32,
        (address, bytes, by): (u64, u64, u64),
        guest: &mut dyn Guest,
    ) {
        if was_passed(self.instances[instance].entries.passed(), address) {
            return;
        }
        let by = AccessedBy::of(by).unwrap_or(AccessedBy::Instruction);
        let context = self.context_of_access(instance, (instruction, by), guest);
        self.select(instance);
        let access = BadAccess { instruction, by, address, bytes, context };
        self.writer.event(&Event::BadAccess(access));
    }

    fn context_of_access(
        &mut self,
        instance: usize,
        (instruction, by): (u32, AccessedBy),
        guest: &mut dyn Guest,
    ) -> ContextId {
        let module = self.instances[instance].module;
        // Imported functions are called from everywhere, and blocks are looked at from everywhere.
        let looked_at = self.accesses.of_instruction.get(&(module, instruction));
        let looked_at = looked_at.filter(|_| by.is_instruction());
        if let Some((_, context)) = looked_at.filter(|(times, _)| *times >= STACKS_OF_INSTRUCTION) {
            return *context;
        }
        let (frames, caller) = match self.accesses.trapped.clone() {
            Some(frames) => (frames, None),
            None => {
                let mut backtrace = guest.backtrace();
                (std::mem::take(&mut backtrace.inner), backtrace.into_caller())
            }
        };
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
        if self.accesses.trapped.is_none() {
            self.tell_caller(instance, context, caller, guest);
        }
        if by.is_instruction() {
            let of_instruction = &mut self.accesses.of_instruction;
            let times = of_instruction.entry((module, instruction)).or_insert((0, context));
            *times = (times.0 + 1, context);
        }
        context
    }
}
