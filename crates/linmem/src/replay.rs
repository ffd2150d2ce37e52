//! One pass over a trace: records in, the state that every analysis starts from out.
//!
//! Memory use is bounded by what was live, the number of contexts and the size of the guest's
//! memory, not by the length of the recording.

pub(crate) mod calls_that_grew;
pub(crate) mod contexts;
pub(crate) mod freed_addresses;
pub(crate) mod heap;
mod host_log;
mod instance;
mod memory;
mod snapshot;
#[cfg(test)]
mod tests;
pub(crate) mod unreturned_calls;

use std::sync::{Arc, OnceLock};

use crate::allocator::Allocator;
use crate::error::{Error, ErrorKind, Result};
use crate::module::{Access, code_ends};
use crate::trace::{
    AccessedBy, BadAccess, ContextId, Crossing, ELSEWHERE, Event, Frame, HostRecord, HostStackId,
    NotReturned, Record, SizeReadBy,
};

use calls_that_grew::CalledFunction;
use contexts::{CallerId, Contexts};
use freed_addresses::Parameter;
use heap::{Accessed, Accessor, LowMemory, Totals};
use host_log::push_bounded;
pub use host_log::{HostLog, Refusal, SizeRead, SizeReads, StaleView};
pub use instance::{Globals, RecordedInstance};
pub use memory::RecordedMemory;
pub use snapshot::Snapshot;
use unreturned_calls::Argument;

/// What a trace says, all in all.
#[derive(Debug, Default)]
pub struct Replay {
    /// The modules, by number.
    pub modules: Vec<RecordedModule>,
    /// The memories, by number.
    pub memories: Vec<RecordedMemory>,
    /// The instances, by number.
    pub instances: Vec<RecordedInstance>,
    /// The call stacks.
    pub contexts: Contexts,
    /// How the program ended; `None` if the trace stops before.
    pub end: Option<End>,
    /// Whether the trace stops before the program ended.
    pub truncated: bool,
    /// Number of events.
    pub events: u64,
    /// Time of the last clock record, in microseconds since the start.
    pub micros: u64,
    /// What the host did.
    pub host: HostLog,
    /// Whether events of memories that threads share are missing.
    pub has_holes: bool,
    /// The process of the recording and its thread there, from 0, if it says that.
    pub thread: Option<(String, u64)>,
    /// Whether only threads other than the first of their process recorded it.
    pub is_of_workers: bool,
    /// Whether threads were ended in the middle.
    pub threads_were_ended: bool,
    /// Whether the recording can only be read with those of the other threads: one of them has a module of it.
    pub needs_others: bool,
    selected: usize,
    /// The memory whose snapshot is being read.
    photographed: Option<usize>,
}

/// A module of the trace.
#[derive(Debug)]
pub struct RecordedModule {
    /// What the user calls it.
    pub name: String,
    /// The original file.
    pub bytes: Arc<Vec<u8>>,
    /// What was hooked.
    pub allocator: Allocator,
    /// Where each function's code ends, and its index; worked out when it is asked for.
    code_ends: OnceLock<Vec<(usize, u32)>>,
}

impl RecordedModule {
    /// The function that an instruction is of.
    fn function_at(&self, instruction: u32) -> Option<u32> {
        let ends = self.code_ends.get_or_init(|| code_ends(&self.bytes));
        let after = ends.partition_point(|(end, _)| *end <= instruction as usize);
        ends.get(after).map(|(_, function)| *function)
    }
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It returned or exited.
    Exit(i32),
    /// It trapped.
    Trap {
        /// The engine's words.
        message: String,
        /// Where.
        frames: Vec<Frame>,
    },
}

impl Replay {
    /// Takes in the next record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidTrace`] when the trace is damaged, or speaks of what it has not
    /// introduced.
    pub fn apply(&mut self, record: Record) -> Result<()> {
        match record {
            Record::Event(event) => self.apply_event(event)?,
            Record::Host(record) => self.apply_host(record)?,
            Record::Context { frames } => self.contexts.add_inner(frames),
            Record::HostStack { module, frames } => {
                let module = module.map(|module| self.known_module(module)).transpose()?;
                self.contexts.add_host(module, frames);
            }
            Record::Entered(entry) => {
                let caller = self.contexts.caller(&entry)?;
                let memory = self.instance()?.memory;
                let totals = self.memories[memory].heap.totals();
                let allocations = totals.allocations.saturating_add(totals.reallocations);
                let instance = self.instance()?;
                instance.entered(entry.level, caller);
                instance.entered_after(entry.function, allocations);
            }
            Record::Resumed { level } => self.instance()?.resumed(level),
            Record::NotReturned(call) => self.did_not_return(&call)?,
            Record::CalledFrom { function, caller, times } => {
                let module = self.instance()?.module;
                let context = self.contexts.of_entry(function, Some(caller), module)?;
                self.instance()?.called_from(function, context, times);
            }
            Record::Clock { micros } => self.micros = micros,
            Record::Module { name, bytes, allocator } => {
                let allocator = serde_json::from_str(&allocator)
                    .map_err(|error| damaged(format!("the allocator's description: {error}")))?;
                let (bytes, code_ends) = (Arc::new(bytes), OnceLock::new());
                self.modules.push(RecordedModule { name, bytes, allocator, code_ends });
            }
            Record::Memory { initial_pages, max_pages, page_bytes, sharing } => {
                let memory = RecordedMemory::new(initial_pages, max_pages, page_bytes, sharing);
                self.memories.push(memory);
            }
            Record::Instance { module, memory } => {
                let module = self.known_module(module)?;
                let memory = self.known_memory(memory)?;
                self.selected = self.instances.len();
                self.memories[memory].users.push(self.selected);
                self.instances.push(RecordedInstance::new(module, memory));
            }
            Record::Select { instance } => {
                self.selected = usize::try_from(instance)
                    .map_err(|_| damaged("an instance number is out of range"))?;
                self.instance()?;
            }
            Record::LowMemory { first, last, changed } => {
                self.memory()?.heap.low_memory_changed(LowMemory { first, last, changed });
            }
            Record::Snapshot { memory, pages } => {
                let number = self.known_memory(memory)?;
                let memory = &mut self.memories[number];
                memory.snapshot = Some(Snapshot::new(pages, memory.page_bytes));
                self.photographed = Some(number);
            }
            Record::SnapshotBytes { address, bytes } => {
                let memory = self.photographed.map(|number| &mut self.memories[number]);
                let snapshot = memory.and_then(|memory| memory.snapshot.as_mut());
                let snapshot = snapshot.ok_or_else(|| damaged("memory outside of a snapshot"))?;
                snapshot.add(address, bytes)?;
            }
            Record::Checked { knows_heap } => {
                let instance = self.instance()?;
                instance.checked = Some(knows_heap);
                let memory = instance.memory;
                self.memories[memory].heap.watch_accesses();
            }
            Record::Unchecked { function } => self.instance()?.unchecked.push(function),
            Record::Globals { live_frames, values } => {
                self.instance()?.globals = Some(Globals { live_frames, values });
            }
            Record::Thread { process, thread } => {
                self.thread = Some((process, thread));
                self.is_of_workers = thread > 0;
            }
            // A recording that is read by itself has no other order than its own.
            Record::Sequence { .. } | Record::ModuleNumber { .. } => {}
            Record::ModuleOfProcess { .. } => self.needs_others = true,
            Record::ModuleBeside { .. } => return Err(damaged(ELSEWHERE)),
            Record::Exit { code } => self.end = Some(End::Exit(code)),
            Record::Trap { message, frames } => self.end = Some(End::Trap { message, frames }),
        }
        Ok(())
    }

    /// Takes in the next event.
    ///
    /// # Errors
    ///
    /// As for [`apply`](Replay::apply).
    #[inline]
    pub fn apply_event(&mut self, mut event: Event) -> Result<()> {
        let number = self.selected;
        let Some(instance) = self.instances.get_mut(number) else { return Err(no_instance()) };
        let heap = &mut self.memories[instance.memory].heap;
        match event {
            Event::Called { function, times } => instance.called(function, times),
            Event::BadAccess(access) => {
                let (caller, module) = (instance.caller(), instance.module);
                self.bad_access(number, &access, caller, module)?;
            }
            Event::Crossed { pointer, crossing } => {
                heap.apply(number, &event);
                if let Crossing::Passed { function, parameter, caller } = crossing {
                    self.passed((function, parameter), caller, pointer)?;
                }
            }
            _ => {
                if let Some(context) = event.context_mut() {
                    let (caller, module) = (instance.caller(), instance.module);
                    *context = self.contexts.of_event(*context, caller, module)?;
                }
                self.events += 1;
                heap.apply(number, &event);
                if let Event::Grown { .. } = event {
                    self.grown(number, &event);
                }
                let instance = &mut self.instances[number];
                instance.active.get_or_insert((self.events, self.events)).1 = self.events;
                instance.last_given = event.given();
            }
        }
        Ok(())
    }

    /// An instance accessed memory that it must not.
    fn bad_access(
        &mut self,
        instance: usize,
        access: &BadAccess,
        caller: CallerId,
        number: usize,
    ) -> Result<()> {
        let &BadAccess { instruction, by, address, bytes, context } = access;
        if by == AccessedBy::Untold {
            self.memories[self.instances[instance].memory].heap.missed_accesses();
            return Ok(());
        }
        let module = &self.modules[number];
        let own = module.function_at(instruction).filter(|_| by.is_instruction());
        let place = (own, instruction);
        let context = self.contexts.of_access(context, place, caller, number)?;
        let own = Access::at(&module.bytes, instruction).filter(|_| by == AccessedBy::Instruction);
        let (address, bytes, is_write) = match (by, own) {
            (AccessedBy::Instruction, Some(own)) => {
                (address.saturating_add(own.memarg.offset), own.bytes.into(), own.is_write)
            }
            (AccessedBy::Instruction, None) => {
                return Err(damaged("an access is not by an instruction that accesses memory"));
            }
            (AccessedBy::ReadRange | AccessedBy::ReadByImport, _) => (address, bytes, false),
            _ => (address, bytes, true),
        };
        let by = match by {
            AccessedBy::ReadByImport | AccessedBy::WrittenByImport => Accessor::Import(instruction),
            AccessedBy::Overwritten => Accessor::Host,
            _ => Accessor::Instruction(instruction),
        };
        let access = Accessed { by, is_write, bytes, address, context };
        let memory = &mut self.memories[self.instances[instance].memory];
        match by {
            Accessor::Instruction(_) => memory.heap.accessed(instance, access),
            Accessor::Import(_) => memory.accessed_by_host(instance, access),
            Accessor::Host => memory.heap.written_behind(instance, access),
        }
        Ok(())
    }

    /// The selected instance was passed an address, in a parameter of a function.
    fn passed(
        &mut self,
        (function, parameter): (u32, u32),
        caller: Option<HostStackId>,
        pointer: u64,
    ) -> Result<()> {
        let instance = &self.instances[self.selected];
        let module = instance.module;
        let memory = &mut self.memories[instance.memory];
        let parameter = Parameter { module, function, parameter };
        if memory.heap.serial_at(pointer).is_some() {
            memory.stale_pointers.carried(parameter);
        } else if let Some(block) = memory.heap.freed_at(pointer) {
            let context = self.contexts.of_entry(function, caller, module)?;
            let returned = memory.heap.serial_of_once_returned(pointer);
            memory.stale_pointers.used(parameter, self.selected, context, block, returned);
        }
        Ok(())
    }

    fn did_not_return(&mut self, call: &NotReturned) -> Result<()> {
        let instance = self.instances.get_mut(self.selected).ok_or_else(no_instance)?;
        let context = self.contexts.of_entry(call.function, call.caller, instance.module)?;
        let memory = &self.memories[instance.memory];
        let bytes = memory.heap.totals().at_end.pages.saturating_mul(memory.page_bytes);
        let passed = call.passed.map(|value| Argument {
            value,
            freed: memory.heap.freed_at(value),
            is_outside: value >= bytes,
        });
        instance.not_returned.add(call.function, context, call.stack_bytes, passed);
        Ok(())
    }

    /// An instance grew its memory: in which call.
    #[cold]
    fn grown(&mut self, instance: usize, event: &Event) {
        let &Event::Grown { delta_pages, previous_pages: Some(_), in_allocator, context } = event
        else {
            return;
        };
        if delta_pages == 0 {
            return;
        }
        // A host without a stack of its own does not tell of its entries: the outermost frame is one.
        let outermost = || self.contexts.inner(context).iter().rev().find_map(Frame::function);
        let function = self.contexts.entry(context).1.or_else(outermost);
        if let Some(function) = function {
            let called = CalledFunction { instance, function, in_allocator };
            self.grown_in(called, delta_pages, context);
        }
    }

    /// The host grew a memory. Where it did so on behalf of an instance, frames of that are in its stack.
    fn grown_by_host(&mut self, memory: usize, pages: u64, stack: HostStackId, context: ContextId) {
        let (Some(module), frames) = self.contexts.host(stack) else { return };
        let functions = frames.iter().filter_map(Frame::function);
        let Some(function) = functions.clone().next_back() else { return };
        let hooked = self.modules[module].allocator.hooked();
        let in_allocator = functions.clone().any(|function| hooked.contains(&function));
        let users = self.memories[memory].users.iter().copied();
        let mut users = users.filter(|&user| self.instances[user].module == module);
        if let (Some(instance), None) = (users.next(), users.next()) {
            self.grown_in(CalledFunction { instance, function, in_allocator }, pages, context);
        }
    }

    fn grown_in(&mut self, called: CalledFunction, pages: u64, context: ContextId) {
        let Some(nth) = self.instances[called.instance].times(called.function) else { return };
        let memory = self.instances[called.instance].memory;
        self.memories[memory].growing_calls.grown(called, nth, pages, context);
    }

    fn apply_host(&mut self, record: HostRecord) -> Result<()> {
        match record {
            HostRecord::Created { stack } => {
                self.instance()?.created = Some(self.contexts.of_host(stack)?);
            }
            HostRecord::Collected => self.instance()?.collected = true,
            HostRecord::SizeRead { memory, by, pages, stack } => {
                let memory = self.known_memory(memory)?;
                let context = self.contexts.of_host(stack)?;
                self.size_read(memory, by, pages, context);
            }
            HostRecord::HostGrown { memory, delta_pages, previous_pages, stack } => {
                let memory = self.known_memory(memory)?;
                let context = self.contexts.of_host(stack)?;
                let heap = &mut self.memories[memory].heap;
                heap.grown_from_outside(delta_pages, previous_pages, context);
                if previous_pages.is_some() {
                    self.grown_by_host(memory, delta_pages, stack, context);
                }
            }
            HostRecord::Registered { memory, address, stack } => {
                let memory = self.known_memory(memory)?;
                let context = self.contexts.of_host(stack)?;
                self.memories[memory].heap.registered(address, context);
            }
            HostRecord::Unregistered { memory, address } => {
                let memory = self.known_memory(memory)?;
                self.memories[memory].heap.unregistered(address);
            }
            HostRecord::Kept { memory, address } => {
                let memory = self.known_memory(memory)?;
                self.memories[memory].heap.kept(address);
            }
            HostRecord::Overwritten { memory, stack } => {
                let memory = self.known_memory(memory)?;
                let context = self.contexts.of_host(stack)?;
                self.memories[memory].heap.start_anew(context);
            }
            HostRecord::Accessed { memory, address, bytes, is_write, stack } => {
                let memory = self.known_memory(memory)?;
                let context = self.contexts.of_host(stack)?;
                let access = Accessed { by: Accessor::Host, is_write, bytes, address, context };
                let memory = &mut self.memories[memory];
                let user = memory.users.first().copied().ok_or_else(no_instance)?;
                memory.accessed_by_host(user, access);
            }
            HostRecord::StaleView { memory, pages, stack } => {
                let memory = self.known_memory(memory)?;
                let context = self.contexts.of_host(stack)?;
                self.host.add_stale_view(StaleView { memory, pages, context });
            }
            HostRecord::TookFunction => self.instance()?.functions_taken = true,
            HostRecord::Note { text } => push_bounded(&mut self.host.notes, text),
            HostRecord::Uncaught { text } => self.host.uncaught = Some(text),
            HostRecord::Refused { what, module, text, alive, stack } => {
                let module = module.map(|module| self.known_module(module)).transpose()?;
                let context = self.contexts.of_host(stack)?;
                self.host.add_refusal(Refusal { what, module, text, context, times: 1, alive });
            }
        }
        Ok(())
    }

    fn size_read(&mut self, number: usize, by: SizeReadBy, pages: u64, context: ContextId) {
        let memory = &mut self.memories[number];
        memory.size_calls += u64::from(by == SizeReadBy::Instruction);
        let calls = memory.users.iter().map(|&user| self.instances[user].calls_in_all);
        let calls = calls.fold(0, u64::saturating_add);
        let totals = memory.heap.totals();
        let read = SizeRead {
            pages,
            context,
            events_before: self.events,
            allocations_before: totals.allocations,
            calls_before: calls.saturating_sub(memory.size_calls),
            pages_recorded: (!memory.users.is_empty()).then_some(totals.at_end.pages),
        };
        self.host.add_size_read(number, by, read);
    }

    fn known_module(&self, number: u64) -> Result<usize> {
        let known = usize::try_from(number).ok().filter(|module| *module < self.modules.len());
        known.ok_or_else(|| damaged("a record is about a module that the trace has not given"))
    }

    fn known_memory(&self, number: u64) -> Result<usize> {
        let known = usize::try_from(number).ok().filter(|memory| *memory < self.memories.len());
        known.ok_or_else(|| damaged("a record is about a memory that the trace has not given"))
    }

    /// The figures of all memories together. What was live at peak is that of the memory with the
    /// highest peak, since the memories had theirs at different times. Memories that no instance uses
    /// do not count.
    pub fn totals(&self) -> Totals {
        let used = self.memories.iter().filter(|memory| !memory.users.is_empty());
        let totals = used.map(|memory| memory.heap.totals());
        totals.fold(Totals::default(), Totals::and)
    }

    fn instance(&mut self) -> Result<&mut RecordedInstance> {
        self.instances.get_mut(self.selected).ok_or_else(no_instance)
    }

    /// Memory 0 of the selected instance.
    fn memory(&mut self) -> Result<&mut RecordedMemory> {
        let memory = self.instance()?.memory;
        Ok(&mut self.memories[memory])
    }
}

fn no_instance() -> Error {
    damaged("a record is about an instance that the trace has not given")
}

fn damaged(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidTrace, format!("damaged trace: {}", reason.into()))
}
