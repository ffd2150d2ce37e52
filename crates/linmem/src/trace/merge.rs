//! Several recordings of one process into one: each thread writes its own, and events of shared memories have
//! numbers that put them in order. Recordings in, one stream of records out, as it would stand in one trace.
//!
//! - Events of shared memories come in the order of their numbers. All other records keep the order of their
//!   own recording only.
//! - A recording whose next event is not its turn is not read further, so nothing piles up.
//! - Modules, instances, contexts and memories get numbers of one space. What is the same becomes one: modules by
//!   name and contents, contexts of one module by their frames, memories by their identity in the process.
//! - A number that never comes is a hole, [`Merged::Hole`]: linmem was blind there.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io::{Chain, Cursor, Read};
use std::mem;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{
    ContextId, Crossing, ELSEWHERE, Entry, Event, Frame, HostRecord, HostStackId, MAGIC,
    ModulesBeside, NotReturned, Reader, Record, Sharing,
};
use crate::error::{Error, ErrorKind, Result};

/// Frames of a stack that are kept, innermost first.
const MAX_FRAMES: usize = 256;

/// What comes out of a [`Merge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Merged {
    /// A record, with the numbers of the merged recording. It is never an EXIT, a TRAP or a SEQUENCE.
    Record(Record),
    /// The events with these numbers are in no recording.
    Hole {
        /// The first missing number.
        from: u64,
        /// The next number that is there.
        to: u64,
    },
    /// A recording is over: all its records have come out.
    Ended {
        /// Its number, in the order in which recordings were added.
        recording: usize,
        /// The number of its thread, if it says that.
        thread: Option<u64>,
        /// How its thread ended, an EXIT or a TRAP; `None` if the recording stops before.
        end: Option<Record>,
    },
}

/// Merges the recordings of one process, while they are being written or afterwards.
#[derive(Debug)]
pub(crate) struct Merge<R> {
    inputs: Vec<Input<R>>,
    /// The input that was read last.
    current: usize,
    /// Inputs with an event that is not read further before its turn, by the event's number.
    waiting: BinaryHeap<Reverse<(u64, usize)>>,
    /// The number of the next event.
    turn: u64,
    closed: bool,
    output: Output,
}

impl<R: Read> Default for Merge<R> {
    fn default() -> Merge<R> {
        Merge::new()
    }
}

impl<R: Read> Merge<R> {
    /// No recordings yet.
    pub fn new() -> Merge<R> {
        Merge {
            inputs: Vec::new(),
            current: 0,
            waiting: BinaryHeap::new(),
            turn: 0,
            closed: false,
            output: Output::default(),
        }
    }

    /// Adds a recording and returns its number. Where `source` has no more bytes, it may have some later.
    pub fn add(&mut self, source: R, modules: ModulesBeside) -> usize {
        self.inputs.push(Input::new(source, modules));
        self.inputs.len() - 1
    }

    /// Says that the source of a recording has no more bytes than it has now.
    ///
    /// # Panics
    ///
    /// If there is no such recording.
    pub fn end(&mut self, recording: usize) {
        self.inputs[recording].ended = true;
    }

    /// Says that no more recordings will be added. Holes are told once all recordings have ended.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// What comes next; `None` if that is not known yet, or if all is over.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidTrace`] when a recording is damaged: no more is read of it.
    pub fn next_merged(&mut self) -> Result<Option<Merged>> {
        loop {
            if let Some(merged) = self.output.queue.pop_front() {
                return Ok(Some(merged));
            }
            if !self.step()? {
                self.inputs.iter_mut().for_each(|input| input.dry = false);
                return Ok(None);
            }
        }
    }

    /// Reads a record or lets one out; `false` if neither can be done now.
    fn step(&mut self) -> Result<bool> {
        // Nothing may come between the parts of a snapshot.
        let in_snapshot = self.inputs.get(self.current).is_some_and(|input| input.in_snapshot);
        if !in_snapshot && let Some(input) = self.whose_turn()? {
            self.turn = self.turn.saturating_add(1);
            self.let_out(input)?;
            return Ok(true);
        }
        match self.readable(in_snapshot) {
            Some(input) => self.read(input).map(|()| true),
            None if self.is_all_there() => match self.inputs.iter().position(Input::wants_module) {
                Some(input) => {
                    self.give_up(input);
                    Err(no_module())
                }
                None => Ok(self.skip_hole()),
            },
            None => Ok(false),
        }
    }

    /// The input that has the next event.
    fn whose_turn(&mut self) -> Result<Option<usize>> {
        let Some(&Reverse((number, input))) = self.waiting.peek() else { return Ok(None) };
        if number > self.turn {
            return Ok(None);
        }
        self.waiting.pop();
        if number == self.turn {
            return Ok(Some(input));
        }
        self.give_up(input);
        Err(same_number())
    }

    /// An input that can be read on: the current one if possible, or nothing but that.
    fn readable(&self, only_current: bool) -> Option<usize> {
        let is_readable = |&input: &usize| self.inputs.get(input).is_some_and(Input::is_readable);
        let current = Some(self.current).filter(is_readable);
        if only_current {
            current
        } else {
            current.or_else(|| (0..self.inputs.len()).find(is_readable))
        }
    }

    fn read(&mut self, number: usize) -> Result<()> {
        self.current = number;
        let input = &mut self.inputs[number];
        match input.records.next(input.ended) {
            Ok(Some(record)) => self.take_in(number, record).inspect_err(|_| self.give_up(number)),
            Ok(None) if input.ended => {
                input.over = true;
                input.in_snapshot = false;
                let (thread, end) = (input.thread, input.end.take());
                self.output.queue.push_back(Merged::Ended { recording: number, thread, end });
                Ok(())
            }
            Ok(None) => {
                input.dry = true;
                Ok(())
            }
            Err(error) => {
                self.give_up(number);
                Err(error)
            }
        }
    }

    /// A damaged recording ends where the damage is.
    fn give_up(&mut self, number: usize) {
        let input = &mut self.inputs[number];
        input.records.stop();
        input.waits_with = None;
        input.wants = None;
        input.in_snapshot = false;
    }

    fn take_in(&mut self, number: usize, record: Record) -> Result<()> {
        let input = &mut self.inputs[number];
        input.in_snapshot = match record {
            Record::Snapshot { .. } => true,
            Record::SnapshotBytes { .. } => input.in_snapshot,
            _ => false,
        };
        match record {
            Record::Sequence { number } if number < input.next_number => {
                Err(damaged("the numbers of events go backwards"))
            }
            Record::Sequence { number } => {
                input.next_number = number;
                Ok(())
            }
            Record::Event(event) if input.numbers.is_numbered(&event) => {
                let turn = input.next_number;
                if turn < self.turn {
                    return Err(same_number());
                }
                input.next_number = turn.saturating_add(1);
                input.waits_with = Some(event);
                self.waiting.push(Reverse((turn, number)));
                Ok(())
            }
            Record::Exit { .. } | Record::Trap { .. } => {
                input.end = Some(record);
                Ok(())
            }
            Record::Thread { thread, .. } => {
                input.thread = Some(thread);
                Ok(())
            }
            Record::ModuleNumber { number: known } => {
                self.output.module_has_number(&input.numbers, known)?;
                for input in self.inputs.iter_mut().filter(|input| input.wants == Some(known)) {
                    input.wants = None;
                    self.output.module_of_process(&mut input.numbers, known);
                }
                Ok(())
            }
            Record::ModuleOfProcess { number: known } => {
                let is_known = self.output.module_of_process(&mut input.numbers, known);
                input.wants = (!is_known).then_some(known);
                Ok(())
            }
            record => self.output.put(&mut input.numbers, record),
        }
    }

    /// Lets out the event with which an input waits.
    fn let_out(&mut self, number: usize) -> Result<()> {
        let input = &mut self.inputs[number];
        // Read it on as long as it is its turn.
        self.current = number;
        match input.waits_with.take() {
            Some(event) => self.output.put(&mut input.numbers, Record::Event(event)),
            None => Ok(()),
        }
        .inspect_err(|_| self.give_up(number))
    }

    /// Whether no recording will have more than it has now.
    fn is_all_there(&self) -> bool {
        self.closed && self.inputs.iter().all(|input| input.ended)
    }

    /// Goes on behind numbers that can no longer come; `false` if there are none.
    fn skip_hole(&mut self) -> bool {
        let Some(&Reverse((number, _))) = self.waiting.peek() else { return false };
        // Numbers below the turn were refused, and the turn itself would have been let out.
        self.output.queue.push_back(Merged::Hole { from: self.turn, to: number });
        self.turn = number;
        true
    }
}

/// One recording.
#[derive(Debug)]
struct Input<R> {
    records: Records<R>,
    numbers: Numbers,
    /// The number of the next event of a shared memory.
    next_number: u64,
    /// The event that waits for its turn.
    waits_with: Option<Event>,
    /// The module that it names, and that no other recording has had yet: it is not read further before.
    wants: Option<u64>,
    /// Whether a snapshot may have more parts.
    in_snapshot: bool,
    thread: Option<u64>,
    /// How the thread ended.
    end: Option<Record>,
    /// Whether its source had nothing more when it was read last.
    dry: bool,
    /// Whether its source will have nothing more.
    ended: bool,
    /// Whether all has been read.
    over: bool,
}

impl<R: Read> Input<R> {
    fn new(source: R, modules: ModulesBeside) -> Input<R> {
        Input {
            records: Records::Header { source: Some(source), bytes: Vec::new(), modules },
            numbers: Numbers::default(),
            next_number: 0,
            waits_with: None,
            wants: None,
            in_snapshot: false,
            thread: None,
            end: None,
            dry: false,
            ended: false,
            over: false,
        }
    }

    fn is_readable(&self) -> bool {
        !self.over && !self.dry && self.waits_with.is_none() && !self.wants_module()
    }

    fn wants_module(&self) -> bool {
        self.wants.is_some()
    }
}

/// The records of a source that may have more later. The reader wants the whole header at once.
#[derive(Debug)]
enum Records<R> {
    Header { source: Option<R>, bytes: Vec<u8>, modules: ModulesBeside },
    Behind(Reader<Chain<Cursor<Vec<u8>>, R>>),
    Stopped,
}

impl<R: Read> Records<R> {
    fn next(&mut self, ended: bool) -> Result<Option<Record>> {
        if let Records::Header { source, bytes, modules } = self {
            if let Some(source) = source {
                source.take((MAGIC.len() - bytes.len()) as u64).read_to_end(bytes)?;
            }
            if bytes.len() < MAGIC.len() {
                // A thread can end before it writes anything.
                let is_empty = MAGIC.starts_with(bytes);
                return if is_empty || !ended { Ok(None) } else { Err(damaged("no header")) };
            }
            let (source, bytes) = (source.take(), mem::take(bytes));
            let modules = mem::take(modules);
            *self = match source {
                Some(source) => {
                    let reader = Reader::new(Cursor::new(bytes).chain(source));
                    Records::Behind(reader.with_modules(modules))
                }
                None => Records::Stopped,
            };
        }
        match self {
            Records::Behind(reader) => reader.next().transpose(),
            Records::Header { .. } | Records::Stopped => Ok(None),
        }
    }

    fn stop(&mut self) {
        *self = Records::Stopped;
    }
}

/// What the numbers of one recording stand for.
#[derive(Debug, Default)]
struct Numbers {
    /// The merged numbers of its modules.
    modules: Vec<u64>,
    instances: Vec<LocalInstance>,
    contexts: Vec<LocalContext>,
    memories: Vec<LocalMemory>,
    /// The merged numbers of its host's stacks.
    host_stacks: Vec<HostStackId>,
    /// The instance that records are about.
    selected: usize,
}

#[derive(Debug, Clone, Copy)]
struct LocalInstance {
    /// Its merged number.
    number: u64,
    /// The merged number of its module.
    module: u64,
    /// Whether its events have numbers: its memory is shared.
    is_numbered: bool,
}

#[derive(Debug, Clone, Copy)]
struct LocalMemory {
    /// Its merged number.
    number: u64,
    is_numbered: bool,
}

#[derive(Debug)]
struct LocalContext {
    frames: Arc<[Frame]>,
    /// Its merged number, once an event of this module has named it.
    known: Option<(Option<u64>, ContextId)>,
}

impl LocalContext {
    fn new(mut frames: Vec<Frame>) -> LocalContext {
        frames.truncate(MAX_FRAMES);
        LocalContext { frames: frames.into(), known: None }
    }
}

impl Numbers {
    /// Which events of shared memories take a number. The recorder has the same rule.
    fn is_numbered(&self, event: &Event) -> bool {
        let takes_number = match event {
            Event::Allocated { .. }
            | Event::Freed { .. }
            | Event::Reallocating { .. }
            | Event::Reallocated { .. }
            | Event::Grown { .. }
            | Event::BadAccess(_)
            | Event::Crossed { .. } => true,
            Event::Called { .. } => false,
        };
        takes_number
            && self.instances.get(self.selected).is_some_and(|instance| instance.is_numbered)
    }

    fn module(&self, number: u64) -> Result<u64> {
        let module = usize::try_from(number).ok().and_then(|number| self.modules.get(number));
        module.copied().ok_or_else(|| damaged("a record is about an unknown module"))
    }

    fn memory(&self, number: u64) -> Result<LocalMemory> {
        let memory = usize::try_from(number).ok().and_then(|number| self.memories.get(number));
        memory.copied().ok_or_else(|| damaged("a record is about an unknown memory"))
    }

    fn host_stack(&self, stack: HostStackId) -> Result<HostStackId> {
        let known = self.host_stacks.get(stack.0 as usize).copied();
        known.ok_or_else(|| damaged("a record names an unknown stack of the host"))
    }

    fn selected(&mut self) -> Result<&mut LocalInstance> {
        let instance = self.instances.get_mut(self.selected);
        instance
            .ok_or_else(|| damaged("a record is about an instance that the trace has not given"))
    }
}

/// The merged recording: what has been given a number in it, and what is to come out next.
#[derive(Debug, Default)]
struct Output {
    queue: VecDeque<Merged>,
    /// By two hashes of all they consist of, with keys that no file can know.
    modules: FxHashMap<(u64, u64), u64>,
    /// By their numbers in the process.
    modules_of_process: FxHashMap<u64, u64>,
    hashers: (RandomState, RandomState),
    instances: u64,
    /// By their module, where they have frames of it.
    contexts: FxHashMap<(Option<u64>, Arc<[Frame]>), ContextId>,
    host_stacks: FxHashMap<(Option<u64>, Vec<Frame>), HostStackId>,
    /// Shared memories, by their identity.
    shared: FxHashMap<u64, u64>,
    memories: u64,
    /// The instance that records are about.
    selected: Option<u64>,
    micros: u64,
}

impl Output {
    /// Puts a record of one recording into the merged one.
    fn put(&mut self, local: &mut Numbers, record: Record) -> Result<()> {
        match record {
            Record::Module { name, bytes, allocator } => self.module(local, name, bytes, allocator),
            Record::Memory { initial_pages, max_pages, page_bytes, sharing } => {
                let (memory, is_new) = self.memory(sharing);
                local.memories.push(memory);
                if is_new {
                    self.push(Record::Memory { initial_pages, max_pages, page_bytes, sharing });
                }
            }
            Record::Instance { module, memory } => {
                let module = local.module(module)?;
                let LocalMemory { number: memory, is_numbered } = local.memory(memory)?;
                let number = count(&mut self.instances);
                local.selected = local.instances.len();
                local.instances.push(LocalInstance { number, module, is_numbered });
                self.selected = Some(number);
                self.push(Record::Instance { module, memory });
            }
            Record::Select { instance } => {
                let number = usize::try_from(instance);
                local.selected = number.map_err(|_| damaged("an instance is out of range"))?;
                local.selected()?;
            }
            // It comes out with the first event that names it, which says of which module it is.
            Record::Context { frames } => local.contexts.push(LocalContext::new(frames)),
            // Each thread has its own clock. Time does not go back.
            Record::Clock { micros } if micros <= self.micros => {}
            Record::Clock { micros } => {
                self.micros = micros;
                self.push(record);
            }
            Record::LowMemory { .. }
            | Record::Globals { .. }
            | Record::Resumed { .. }
            | Record::Checked { .. }
            | Record::Unchecked { .. } => {
                self.select(local)?;
                self.push(record);
            }
            Record::Snapshot { memory, pages } => {
                let memory = local.memory(memory)?.number;
                self.push(Record::Snapshot { memory, pages });
            }
            Record::SnapshotBytes { .. } => self.push(record),
            Record::HostStack { module, frames } => self.host_stack(local, module, frames)?,
            Record::Entered(entry) => {
                self.select(local)?;
                let caller = entry.caller.map(|caller| local.host_stack(caller)).transpose()?;
                self.push(Record::Entered(Entry { caller, ..entry }));
            }
            Record::NotReturned(call) => {
                self.select(local)?;
                let caller = call.caller.map(|caller| local.host_stack(caller)).transpose()?;
                self.push(Record::NotReturned(NotReturned { caller, ..call }));
            }
            Record::CalledFrom { function, caller, times } => {
                self.select(local)?;
                let caller = local.host_stack(caller)?;
                self.push(Record::CalledFrom { function, caller, times });
            }
            Record::Event(event) => self.event(local, event)?,
            Record::Host(record) => self.host_record(local, record)?,
            Record::ModuleBeside { .. } => return Err(damaged(ELSEWHERE)),
            Record::ModuleNumber { .. }
            | Record::ModuleOfProcess { .. }
            | Record::Thread { .. }
            | Record::Sequence { .. }
            | Record::Exit { .. }
            | Record::Trap { .. } => {}
        }
        Ok(())
    }

    fn push(&mut self, record: Record) {
        self.queue.push_back(Merged::Record(record));
    }

    fn module(&mut self, local: &mut Numbers, name: String, bytes: Vec<u8>, allocator: String) {
        let all = (&name, &bytes, &allocator);
        let key = (self.hashers.0.hash_one(all), self.hashers.1.hash_one(all));
        let next = self.modules.len() as u64;
        let number = *self.modules.entry(key).or_insert(next);
        local.modules.push(number);
        if number == next {
            self.push(Record::Module { name, bytes, allocator });
        }
    }

    /// The last module of a recording has this number in the process.
    fn module_has_number(&mut self, local: &Numbers, number: u64) -> Result<()> {
        let module = local.modules.last().ok_or_else(|| damaged("no module has this number"))?;
        self.modules_of_process.insert(number, *module);
        Ok(())
    }

    /// A recording has the module with this number in the process; `false` if that is not known yet.
    fn module_of_process(&self, local: &mut Numbers, number: u64) -> bool {
        let module = self.modules_of_process.get(&number);
        local.modules.extend(module);
        module.is_some()
    }

    /// Makes the records that follow be about the instance that is selected in this recording.
    fn select(&mut self, local: &mut Numbers) -> Result<LocalInstance> {
        let instance = *local.selected()?;
        if self.selected != Some(instance.number) {
            self.selected = Some(instance.number);
            self.push(Record::Select { instance: instance.number });
        }
        Ok(instance)
    }

    fn event(&mut self, local: &mut Numbers, mut event: Event) -> Result<()> {
        let LocalInstance { module, .. } = *local.selected()?;
        if let Some(context) = event.context_mut() {
            *context = self.context(local, *context, Some(module))?;
        }
        if let Event::Crossed { crossing: Crossing::Passed { caller: Some(caller), .. }, .. } =
            &mut event
        {
            *caller = local.host_stack(*caller)?;
        }
        self.select(local)?;
        self.push(Record::Event(event));
        Ok(())
    }

    fn host_record(&mut self, local: &mut Numbers, mut record: HostRecord) -> Result<()> {
        match &mut record {
            HostRecord::Created { stack } => {
                *stack = local.host_stack(*stack)?;
                self.select(local)?;
            }
            HostRecord::SizeRead { memory, stack, .. }
            | HostRecord::HostGrown { memory, stack, .. }
            | HostRecord::Overwritten { memory, stack }
            | HostRecord::Registered { memory, stack, .. }
            | HostRecord::Accessed { memory, stack, .. }
            | HostRecord::StaleView { memory, stack, .. } => {
                *memory = local.memory(*memory)?.number;
                *stack = local.host_stack(*stack)?;
            }
            HostRecord::Unregistered { memory, .. } | HostRecord::Kept { memory, .. } => {
                *memory = local.memory(*memory)?.number;
            }
            HostRecord::Collected | HostRecord::TookFunction => {
                self.select(local)?;
            }
            HostRecord::Refused { module, stack, .. } => {
                *module = module.map(|module| local.module(module)).transpose()?;
                *stack = local.host_stack(*stack)?;
            }
            HostRecord::Note { .. } | HostRecord::Uncaught { .. } => {}
        }
        self.push(Record::Host(record));
        Ok(())
    }

    fn host_stack(
        &mut self,
        local: &mut Numbers,
        module: Option<u64>,
        mut frames: Vec<Frame>,
    ) -> Result<()> {
        frames.truncate(MAX_FRAMES);
        let module = module.map(|module| local.module(module)).transpose()?;
        let next = u32::try_from(self.host_stacks.len());
        let next = HostStackId(next.map_err(|_| damaged("too many call stacks"))?);
        let number = *self.host_stacks.entry((module, frames.clone())).or_insert(next);
        local.host_stacks.push(number);
        if number == next {
            self.push(Record::HostStack { module, frames });
        }
        Ok(())
    }

    /// The merged number of a context, which comes out if it is new.
    fn context(
        &mut self,
        local: &mut Numbers,
        context: ContextId,
        module: Option<u64>,
    ) -> Result<ContextId> {
        let context = local.contexts.get_mut(context.0 as usize);
        let context =
            context.ok_or_else(|| damaged("a call stack that the trace has not given"))?;
        match context.known {
            Some((known_of, number)) if known_of == module => Ok(number),
            _ => {
                let number = self.new_context(&context.frames, module)?;
                context.known = Some((module, number));
                Ok(number)
            }
        }
    }

    /// The merged number of a context that this recording has not named before.
    fn new_context(&mut self, frames: &Arc<[Frame]>, module: Option<u64>) -> Result<ContextId> {
        let is_of_module = frames.iter().any(|frame| matches!(frame, Frame::Wasm { .. }));
        let key = (module.filter(|_| is_of_module), Arc::clone(frames));
        if let Some(&known) = self.contexts.get(&key) {
            return Ok(known);
        }
        let number = u32::try_from(self.contexts.len());
        let number = ContextId(number.map_err(|_| damaged("too many call stacks"))?);
        self.push(Record::Context { frames: frames.to_vec() });
        self.contexts.insert(key, number);
        Ok(number)
    }

    /// The memory that a recording tells of, and whether no other one has told of it before.
    fn memory(&mut self, sharing: Sharing) -> (LocalMemory, bool) {
        let known = match sharing {
            Sharing::Shared(identity) => self.shared.get(&identity).copied(),
            Sharing::Private | Sharing::Unknown => None,
        };
        let number = known.unwrap_or_else(|| count(&mut self.memories));
        if let Sharing::Shared(identity) = sharing {
            self.shared.insert(identity, number);
        }
        let is_numbered = matches!(sharing, Sharing::Shared(_));
        (LocalMemory { number, is_numbered }, known.is_none())
    }
}

/// The next number of a kind.
fn count(next: &mut u64) -> u64 {
    let number = *next;
    *next += 1;
    number
}

fn same_number() -> Error {
    damaged("two events have the same number")
}

/// What is wrong with a recording that can only be read with others.
pub(crate) fn no_module() -> Error {
    damaged(
        "a module of it is in the recording of another thread, which is not there: give all recordings of the process",
    )
}

fn damaged(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidTrace, format!("damaged trace: {}", reason.into()))
}

#[cfg(test)]
mod tests;
