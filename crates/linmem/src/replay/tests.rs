//! Recordings of a few records, and what is made of them.

use super::contexts::CallerStack;
use super::*;
use crate::trace::{Entry, LiveFrames, Sharing, UNKNOWN_SIZE};

/// A recording that has begun.
#[derive(Default)]
struct Recording(Replay);

impl Recording {
    /// A recording of one module, with as many contexts and stacks of the host as a test may want: of the
    /// number `n`, one frame each, at offset `n` or in the line `n`.
    fn new() -> Recording {
        let mut recording = Recording::default();
        recording.apply(Record::Module {
            name: "a.wasm".to_owned(),
            bytes: Vec::new(),
            allocator: r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#.to_owned(),
        });
        for number in 0..4 {
            let inner = Frame::Wasm { function: 7, offset: Some(number) };
            recording.apply(Record::Context { frames: vec![inner] });
            let frames = vec![Frame::Host(format!("app.mjs:{number}"))];
            recording.apply(Record::HostStack { module: Some(0), frames });
        }
        recording
    }

    fn apply(&mut self, record: Record) {
        self.0.apply(record).unwrap();
    }

    /// Why a record is refused.
    fn refused(&mut self, record: Record) -> String {
        let error = self.0.apply(record).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidTrace);
        error.to_string()
    }

    fn memory(&mut self) {
        let (initial_pages, max_pages, page_bytes) = (1, None, 65_536);
        let sharing = Sharing::Private;
        self.apply(Record::Memory { initial_pages, max_pages, page_bytes, sharing });
    }

    fn instance(&mut self, memory: u64) {
        self.apply(Record::Instance { module: 0, memory });
    }

    fn select(&mut self, instance: u64) {
        self.apply(Record::Select { instance });
    }

    fn enter(&mut self, function: u32, level: u64, caller: Option<u32>) {
        let caller = caller.map(HostStackId);
        self.apply(Record::Entered(Entry { function, level, caller, stack_pointer: None }));
    }

    /// An allocation of 16 bytes, and the callers that are told for it.
    fn allocate(&mut self, pointer: u64, context: u32) -> (Option<u32>, CallerStack) {
        let context = ContextId(context);
        self.apply(Record::Event(Event::Allocated { pointer, size: 16, align: 0, context }));
        let memory = self.0.instances[self.0.selected].memory;
        let live = self.0.memories[memory].heap.live();
        let (_, block) = live.iter().find(|(address, _)| *address == pointer).unwrap();
        let contexts = &self.0.contexts;
        assert_eq!(contexts.inner(block.context).len(), 1);
        let (module, function) = contexts.entry(block.context);
        assert_eq!(module, 0);
        (function, contexts.caller_stack(block.context))
    }

    fn free(&mut self, pointer: u64) {
        let (size, context) = (UNKNOWN_SIZE, ContextId(0));
        self.apply(Record::Event(Event::Freed { pointer, size, align: 0, context }));
    }
}

fn taken(number: u32) -> CallerStack {
    CallerStack::Taken(HostStackId(number))
}

#[test]
fn instances_that_share_a_memory_share_its_heap() {
    let mut recording = Recording::new();
    recording.memory();
    recording.instance(0);
    recording.allocate(4096, 0);
    recording.allocate(8192, 0);
    recording.instance(0);
    recording.free(4096);
    let replay = recording.0;
    let heap = &replay.memories[0].heap;
    assert_eq!(heap.misuse().count(), 0, "another instance may free the block");
    assert_eq!(heap.live().len(), 1);
    let totals = replay.totals();
    assert_eq!((totals.allocations, totals.frees, totals.at_end.pages), (2, 1, 1));
    assert_eq!(replay.memories[0].users, [0, 1]);
    let active: Vec<_> = replay.instances.iter().map(|instance| instance.active).collect();
    assert_eq!(active, [Some((1, 2)), Some((3, 3))]);
}

#[test]
fn instances_with_memories_of_their_own_share_nothing() {
    let mut recording = Recording::new();
    for memory in 0..2 {
        recording.memory();
        recording.instance(memory);
    }
    recording.select(0);
    recording.allocate(4096, 0);
    recording.select(1);
    recording.free(4096);
    let misuse: Vec<_> = recording.0.memories.iter().map(|m| m.heap.misuse().count()).collect();
    assert_eq!(misuse, [0, 1]);
}

/// A memory that the host looks at, and no instance uses, is none of the program's.
#[test]
fn memories_without_users_do_not_count() {
    let mut recording = Recording::new();
    recording.memory();
    recording.memory();
    recording.instance(1);
    assert_eq!(recording.0.totals().at_end.pages, 1);
}

#[test]
fn the_callers_of_an_event_are_those_of_its_entry() {
    let mut recording = Recording::new();
    recording.memory();
    recording.instance(0);
    assert_eq!(recording.allocate(16, 0), (None, CallerStack::Unrecorded), "a start function");
    recording.enter(3, 0, Some(0));
    assert_eq!(recording.allocate(32, 0), (Some(3), taken(0)));
    recording.enter(3, 0, Some(1));
    assert_eq!(recording.allocate(48, 0), (Some(3), taken(1)), "the same context of the module");
    recording.enter(4, 0, None);
    assert_eq!(recording.allocate(64, 0), (Some(4), CallerStack::NotTaken));
    recording.enter(3, 0, Some(0));
    assert_eq!(recording.allocate(80, 0), (Some(3), taken(0)));
    let live = recording.0.memories[0].heap.live();
    let [_, first, second, _, last] = live[..] else { panic!("{live:?}") };
    assert_eq!(first.1.context, last.1.context, "a stack has one number");
    assert_ne!(first.1.context, second.1.context);
}

#[test]
fn an_entry_goes_on_after_those_inside_of_it() {
    let mut recording = Recording::new();
    recording.memory();
    recording.instance(0);
    recording.enter(3, 0, Some(0));
    recording.allocate(16, 0);
    recording.enter(5, 1, Some(1));
    assert_eq!(recording.allocate(32, 1), (Some(5), taken(1)));
    recording.enter(6, 2, Some(2));
    assert_eq!(recording.allocate(48, 2), (Some(6), taken(2)));
    recording.enter(6, 2, Some(3));
    assert_eq!(recording.allocate(64, 2), (Some(6), taken(3)));
    recording.apply(Record::Resumed { level: 1 });
    assert_eq!(recording.allocate(80, 1), (Some(5), taken(1)));
    recording.apply(Record::Resumed { level: 0 });
    assert_eq!(recording.allocate(96, 0), (Some(3), taken(0)));
}

/// An entry in which nothing happened before is not told, and may go on nevertheless.
#[test]
fn nobody_is_told_to_have_called_an_entry_that_the_recording_leaves_out() {
    let mut recording = Recording::new();
    recording.memory();
    recording.instance(0);
    recording.enter(5, 2, Some(1));
    assert_eq!(recording.allocate(16, 1), (Some(5), taken(1)));
    recording.apply(Record::Resumed { level: 1 });
    assert_eq!(recording.allocate(32, 1), (None, CallerStack::Unrecorded));
    recording.apply(Record::Resumed { level: 9 });
    assert_eq!(recording.allocate(48, 1), (None, CallerStack::Unrecorded));
}

#[test]
fn each_instance_has_entries_of_its_own() {
    let mut recording = Recording::new();
    recording.memory();
    recording.instance(0);
    recording.enter(3, 0, Some(0));
    recording.instance(0);
    assert_eq!(recording.allocate(16, 0), (None, CallerStack::Unrecorded));
    recording.enter(4, 0, Some(1));
    recording.select(0);
    assert_eq!(recording.allocate(32, 0), (Some(3), taken(0)));
    recording.select(1);
    assert_eq!(recording.allocate(48, 0), (Some(4), taken(1)));
}

#[test]
fn a_snapshot_is_of_a_memory_and_globals_are_of_an_instance() {
    let mut recording = Recording::new();
    recording.memory();
    recording.memory();
    recording.instance(0);
    recording.instance(0);
    recording.apply(Record::Snapshot { memory: 0, pages: 2 });
    recording.apply(Record::SnapshotBytes { address: 4096, bytes: vec![1] });
    recording.apply(Record::Globals { live_frames: LiveFrames::Own, values: vec![(0, 7)] });
    recording.apply(Record::NotReturned(not_returned(3)));
    recording.apply(Record::NotReturned(not_returned(3)));
    let Replay { memories, instances, .. } = recording.0;
    let snapshot = memories[0].snapshot.as_ref().unwrap();
    assert_eq!((snapshot.size, snapshot.memory.len()), (131_072, 1));
    assert!(memories[1].snapshot.is_none());
    assert!(instances[0].globals.is_none());
    let globals = instances[1].globals.as_ref().unwrap();
    assert_eq!((globals.live_frames, &globals.values[..]), (LiveFrames::Own, &[(0, 7)][..]));
    let mut calls = instances[1].not_returned.iter();
    let (function, _, calls) = calls.next().unwrap();
    assert_eq!((function, calls.times, calls.stack_bytes), (3, 2, 32));
}

#[test]
fn records_about_what_the_trace_has_not_given_are_refused() {
    let stack = HostStackId(9);
    let entry = Entry { function: 1, level: 0, caller: Some(stack), stack_pointer: None };
    let by = SizeReadBy::HostView;
    let known = HostStackId(0);
    let of_memory = |memory| {
        [
            Record::Instance { module: 0, memory },
            Record::Snapshot { memory, pages: 1 },
            Record::Host(HostRecord::SizeRead { memory, by, pages: 1, stack: known }),
            Record::Host(HostRecord::StaleView { memory, pages: 1, stack: known }),
            Record::Host(HostRecord::HostGrown {
                memory,
                delta_pages: 1,
                previous_pages: None,
                stack: known,
            }),
        ]
    };
    let of_stack = [
        Record::Entered(entry),
        Record::Host(HostRecord::Created { stack }),
        Record::Host(HostRecord::SizeRead { memory: 0, by, pages: 1, stack }),
    ];
    let context = ContextId(9);
    let freed = Event::Freed { pointer: 16, size: 16, align: 0, context };
    let mut recording = Recording::new();
    recording.memory();
    recording.instance(0);
    let mut refused = |records: Vec<Record>, reason: &str| {
        for record in records {
            let text = format!("{record:?}");
            let error = recording.refused(record);
            assert!(error.starts_with("damaged trace: "), "{error}");
            assert!(error.contains(reason), "{text}: {error}");
        }
    };
    refused(of_memory(1).to_vec(), "a memory that the trace has not given");
    refused(of_memory(u64::MAX).to_vec(), "a memory that the trace has not given");
    refused(of_stack.to_vec(), "a stack of the host that the trace has not given");
    refused(vec![Record::Event(freed)], "a call stack that the trace has not given");
    let frames = Vec::new();
    let of_module = [
        Record::Instance { module: 1, memory: 0 },
        Record::HostStack { module: Some(u64::MAX), frames },
    ];
    refused(of_module.to_vec(), "a module that the trace has not given");
    let bytes = vec![1];
    let parts = vec![Record::SnapshotBytes { address: 0, bytes }];
    refused(parts, "memory outside of a snapshot");
    refused(vec![Record::Select { instance: u64::MAX }], "an instance");
}

#[test]
fn records_before_the_first_instance_are_refused() {
    let low_memory = Record::LowMemory { first: 0, last: 0, changed: 1 };
    let entry = Entry { function: 1, level: 0, caller: None, stack_pointer: None };
    let called = Event::Called { function: 1, times: 1 };
    let globals = Record::Globals { live_frames: LiveFrames::None, values: Vec::new() };
    let records = [
        low_memory,
        Record::Entered(entry),
        Record::Resumed { level: 0 },
        Record::NotReturned(not_returned(1)),
        Record::Event(called),
        Record::Host(HostRecord::Collected),
        Record::Host(HostRecord::TookFunction),
        globals,
    ];
    for record in records {
        let error = Recording::new().refused(record);
        assert!(error.contains("an instance that the trace has not given"), "{error}");
    }
}

/// A trace may claim any level, and must not cost more than its bytes for it.
#[test]
fn huge_levels_cost_nothing() {
    let mut recording = Recording::new();
    recording.memory();
    recording.instance(0);
    for level in [u64::MAX, 1 << 40, 5_000, 1] {
        recording.enter(3, level, Some(0));
        assert_eq!(recording.allocate(16, 0), (Some(3), taken(0)));
        recording.apply(Record::Resumed { level });
        assert_eq!(recording.allocate(32, 0), (Some(3), taken(0)));
    }
    recording.apply(Record::Resumed { level: u64::MAX });
    assert_eq!(recording.allocate(48, 0), (None, CallerStack::Unrecorded));
}

fn not_returned(function: u32) -> NotReturned {
    NotReturned { function, caller: None, stack_bytes: 16, passed: [0; 4] }
}
