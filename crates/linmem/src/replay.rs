//! One pass over a trace: records in, the state that every analysis starts from out.
//!
//! Memory use is bounded by what was live, the number of contexts and the size of the guest's
//! memory, not by the length of the recording.

pub(crate) mod heap;
mod host_log;
mod snapshot;

use rustc_hash::FxHashMap;

use crate::allocator::Allocator;
use crate::error::{Error, ErrorKind, Result};
use crate::trace::{ContextId, Event, Frame, HostRecord, Record, SizeReadBy};

use heap::{Heap, LowMemory, Totals};
use host_log::push_bounded;
pub use host_log::{HostLog, SizeRead, SizeReads, StaleView};
pub use snapshot::Snapshot;

/// What a trace says, all in all.
#[derive(Debug, Default)]
pub struct Replay {
    /// The modules, by number.
    pub modules: Vec<RecordedModule>,
    /// The instances, by number.
    pub instances: Vec<RecordedInstance>,
    /// The call stacks, by [`ContextId`].
    pub contexts: Vec<Vec<Frame>>,
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
    /// Numbers of the instances that use each memory.
    memory_users: FxHashMap<u64, Vec<usize>>,
    /// How often a memory's size was read by calling an export.
    size_calls: FxHashMap<u64, u64>,
    selected: usize,
}

/// What the instances that use a memory did.
#[derive(Default)]
struct Usage {
    allocations: u64,
    calls: u64,
    /// The memory's size; `None` if no instance uses it.
    pages: Option<u64>,
}

/// A module of the trace.
#[derive(Debug)]
pub struct RecordedModule {
    /// What the user calls it.
    pub name: String,
    /// The original file.
    pub bytes: Vec<u8>,
    /// What was hooked.
    pub allocator: Allocator,
}

/// An instance of the trace.
#[derive(Debug)]
pub struct RecordedInstance {
    /// Number of its module.
    pub module: usize,
    /// Pages at the start.
    pub initial_pages: u64,
    /// Pages it may grow to at most, if that is limited.
    pub max_pages: Option<u64>,
    /// Its heap.
    pub heap: Heap,
    /// Its memory and globals, when they were last looked at.
    pub snapshot: Option<Snapshot>,
    /// Number of its memory 0, if the host said: two instances can share one.
    pub memory: Option<u64>,
    /// Where it was created, if the host said.
    pub created: Option<ContextId>,
    /// Whether it was garbage-collected.
    pub collected: bool,
    /// Events of all instances before its first and up to its last.
    pub active: Option<(u64, u64)>,
    /// How often exported functions were called, by their indices, in the order of the first calls.
    pub calls: Vec<(u32, u64)>,
    /// Where a function stands in `calls`.
    place_in_calls: FxHashMap<u32, usize>,
    /// The sum of `calls`.
    calls_in_all: u64,
    /// Whether functions were taken out of tables or put in, whose calls are not seen.
    pub functions_taken: bool,
}

/// Frames of a stack that are kept, innermost first. Many findings can show the same stack.
const MAX_FRAMES: usize = 256;

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
            Record::Event(event) => self.apply_event(&event)?,
            Record::Host(record) => self.apply_host(record)?,
            Record::Context { mut frames } => {
                frames.truncate(MAX_FRAMES);
                self.contexts.push(frames);
            }
            Record::Clock { micros } => self.micros = micros,
            Record::Module { name, bytes, allocator } => {
                let allocator = serde_json::from_str(&allocator)
                    .map_err(|error| damaged(format!("the allocator's description: {error}")))?;
                self.modules.push(RecordedModule { name, bytes, allocator });
            }
            Record::Instance { module, initial_pages, max_pages } => {
                let module = usize::try_from(module).ok().filter(|m| *m < self.modules.len());
                self.selected = self.instances.len();
                self.instances.push(RecordedInstance {
                    module: module.ok_or_else(|| damaged("an instance of an unknown module"))?,
                    initial_pages,
                    max_pages,
                    heap: Heap::new(initial_pages),
                    snapshot: None,
                    memory: None,
                    created: None,
                    collected: false,
                    active: None,
                    calls: Vec::new(),
                    place_in_calls: FxHashMap::default(),
                    calls_in_all: 0,
                    functions_taken: false,
                });
            }
            Record::Select { instance } => {
                self.selected = usize::try_from(instance)
                    .map_err(|_| damaged("an instance number is out of range"))?;
                self.instance()?;
            }
            Record::LowMemory { first, last, changed } => {
                self.instance()?.heap.low_memory_changed(LowMemory { first, last, changed });
            }
            Record::Snapshot { pages, frames_live, globals } => {
                let snapshot = Snapshot { pages, frames_live, globals, memory: Vec::new() };
                self.instance()?.snapshot = Some(snapshot);
            }
            Record::SnapshotBytes { address, bytes } => {
                let snapshot = self.instance()?.snapshot.as_mut();
                let snapshot = snapshot.ok_or_else(|| damaged("memory outside of a snapshot"))?;
                snapshot.add(address, bytes)?;
            }
            Record::Exit { code } => self.end = Some(End::Exit(code)),
            Record::Trap { message, frames } => self.end = Some(End::Trap { message, frames }),
        }
        Ok(())
    }

    #[inline]
    fn apply_event(&mut self, event: &Event) -> Result<()> {
        match *event {
            Event::Called { function, times } => self.instance()?.called(function, times),
            Event::Crossed { .. } => self.instance()?.heap.apply(event),
            _ => {
                if let Some(context) = event.context() {
                    self.check_context(context)?;
                }
                self.events += 1;
                let number = self.events;
                let instance = self.instance()?;
                instance.heap.apply(event);
                instance.active.get_or_insert((number, number)).1 = number;
            }
        }
        Ok(())
    }

    fn apply_host(&mut self, record: HostRecord) -> Result<()> {
        let events_before = self.events;
        match record {
            HostRecord::UsesMemory { memory } => {
                self.instance()?.memory = Some(memory);
                self.memory_users.entry(memory).or_default().push(self.selected);
            }
            HostRecord::Created { context } => {
                self.check_context(context)?;
                self.instance()?.created = Some(context);
            }
            HostRecord::Collected => self.instance()?.collected = true,
            HostRecord::SizeRead { memory, by, pages, context } => {
                self.check_context(context)?;
                self.host.size_reads_in_all += 1;
                let size_calls = self.size_calls.entry(memory).or_default();
                *size_calls += u64::from(by == SizeReadBy::Instruction);
                let size_calls = *size_calls;
                let Usage { allocations: allocations_before, calls, pages: pages_recorded } =
                    self.usage(memory);
                let calls_before = calls.saturating_sub(size_calls);
                let read = SizeRead {
                    pages,
                    context,
                    events_before,
                    allocations_before,
                    calls_before,
                    pages_recorded,
                };
                self.host.add_size_read(memory, by, read);
            }
            HostRecord::HostGrown { memory, delta_pages, previous_pages, context } => {
                self.check_context(context)?;
                if let Some(previous) = previous_pages {
                    for number in self.users(memory) {
                        let pages = previous.saturating_add(delta_pages);
                        self.instances[number].heap.grown_from_outside(pages);
                    }
                }
            }
            HostRecord::StaleView { memory, pages, context } => {
                self.check_context(context)?;
                self.host.add_stale_view(StaleView { memory, pages, context });
            }
            HostRecord::TookFunction => self.instance()?.functions_taken = true,
            HostRecord::Note { text } => push_bounded(&mut self.host.notes, text),
        }
        Ok(())
    }

    /// Numbers of the instances that use a memory.
    pub fn users(&self, memory: u64) -> Vec<usize> {
        self.memory_users.get(&memory).cloned().unwrap_or_default()
    }

    /// What the instances that use a memory did so far.
    fn usage(&self, memory: u64) -> Usage {
        let users = self.memory_users.get(&memory).into_iter().flatten();
        users.fold(Usage::default(), |usage, &number| {
            let instance = &self.instances[number];
            let totals = instance.heap.totals();
            Usage {
                allocations: usage.allocations + totals.allocations,
                calls: usage.calls.saturating_add(instance.calls_in_all),
                pages: usage.pages.max(Some(totals.at_end.pages)),
            }
        })
    }

    fn check_context(&self, context: ContextId) -> Result<()> {
        match self.contexts.get(context.0 as usize) {
            Some(_) => Ok(()),
            None => Err(damaged("an event names a call stack that the trace has not given")),
        }
    }

    /// The call stack of a context, innermost frame first; empty if it was not taken.
    pub fn stack(&self, context: ContextId) -> &[Frame] {
        self.contexts.get(context.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// The figures of all instances together. What was live at peak is that of the instance with
    /// the highest peak, since the instances had theirs at different times.
    pub fn totals(&self) -> Totals {
        let totals = self.instances.iter().map(|instance| instance.heap.totals());
        totals.fold(Totals::default(), Totals::and)
    }

    fn instance(&mut self) -> Result<&mut RecordedInstance> {
        let instance = self.instances.get_mut(self.selected);
        instance
            .ok_or_else(|| damaged("a record is about an instance that the trace has not given"))
    }
}

impl RecordedInstance {
    fn called(&mut self, function: u32, times: u64) {
        self.calls_in_all = self.calls_in_all.saturating_add(times);
        match self.place_in_calls.get(&function) {
            Some(&place) => self.calls[place].1 = self.calls[place].1.saturating_add(times),
            None => {
                self.place_in_calls.insert(function, self.calls.len());
                self.calls.push((function, times));
            }
        }
    }
}

fn damaged(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidTrace, format!("damaged trace: {}", reason.into()))
}
