//! Traces come from strangers: whatever byte of one is wrong, there is an error or a report.

use linmem::trace::{
    ContextId, Crossing, Entry, Event, Frame, HostRecord, HostStackId, LiveFrames, NotReturned,
    Record, Sharing, SizeReadBy, UNKNOWN_SIZE, Writer,
};
use linmem::{Analysis, Trace};

/// Two instances that share a memory and one that has its own, with records of every kind.
fn recording() -> Vec<Record> {
    let stack = HostStackId(0);
    [beginning(), work(), of_the_host(stack), end()].concat()
}

fn beginning() -> Vec<Record> {
    let memory = |sharing| Record::Memory {
        initial_pages: 1,
        max_pages: Some(4),
        page_bytes: 65_536,
        sharing,
    };
    let frame = |function| Frame::Wasm { function, offset: Some(40) };
    let host = Frame::Host("main (app.mjs:1)".to_owned());
    vec![
        Record::Thread { process: "1".to_owned(), thread: 0 },
        Record::Module {
            name: "a.wasm".to_owned(),
            bytes: wat::parse_str(r#"(module (memory 1) (func (export "f")))"#).unwrap(),
            allocator: r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#.to_owned(),
        },
        memory(Sharing::Private),
        memory(Sharing::Shared(1)),
        Record::Instance { module: 0, memory: 0 },
        Record::Instance { module: 0, memory: 1 },
        Record::Instance { module: 0, memory: 0 },
        Record::Context { frames: vec![frame(0)] },
        Record::Context { frames: Vec::new() },
        Record::HostStack { module: None, frames: vec![host.clone()] },
        Record::HostStack { module: Some(0), frames: vec![host, frame(0)] },
    ]
}

fn work() -> Vec<Record> {
    let (first, second) = (ContextId(0), ContextId(1));
    let entered = |level, caller: Option<u32>| {
        let caller = caller.map(HostStackId);
        Record::Entered(Entry { function: 0, level, caller, stack_pointer: Some(1024) })
    };
    let allocated =
        |pointer, context| Record::Event(Event::Allocated { pointer, size: 64, align: 0, context });
    let freed = |pointer| {
        Record::Event(Event::Freed { pointer, size: UNKNOWN_SIZE, align: 0, context: second })
    };
    let reallocating = Event::Reallocating {
        pointer: 4160,
        old_size: 64,
        align: 8,
        new_size: 128,
        context: first,
    };
    let grown = |previous_pages| Event::Grown {
        delta_pages: 1,
        previous_pages,
        in_allocator: true,
        context: first,
    };
    let returned = Crossing::Returned(0);
    vec![
        entered(0, Some(0)),
        allocated(4096, first),
        allocated(4160, second),
        entered(1, Some(1)),
        Record::Event(grown(Some(1))),
        Record::Event(reallocating),
        Record::Event(Event::Reallocated { pointer: 8192 }),
        Record::Resumed { level: 0 },
        Record::Event(Event::Crossed { pointer: 4096, crossing: returned }),
        Record::NotReturned(NotReturned {
            function: 0,
            caller: None,
            stack_bytes: 16,
            passed: [4096, 0, 0, 0],
        }),
        Record::CalledFrom { function: 0, caller: HostStackId(0), times: 2 },
        Record::Select { instance: 0 },
        entered(0, None),
        freed(4096),
        freed(4096),
        Record::Sequence { number: 7 },
        Record::ModuleNumber { number: 0 },
        Record::Event(grown(None)),
        allocated(0, first),
        Record::LowMemory { first: 0, last: 7, changed: 3 },
        allocated(12_288, first),
        Record::Event(Event::Called { function: 0, times: 3 }),
    ]
}

fn of_the_host(stack: HostStackId) -> Vec<Record> {
    let read = HostRecord::SizeRead { memory: 0, by: SizeReadBy::HostView, pages: 2, stack };
    let records = [
        HostRecord::Created { stack },
        read.clone(),
        read,
        HostRecord::Overwritten { memory: 0, stack },
        HostRecord::Registered { memory: 0, address: 4096, stack },
        HostRecord::Unregistered { memory: 0, address: 4096 },
        HostRecord::Kept { memory: 0, address: 4096 },
        HostRecord::HostGrown { memory: 0, delta_pages: 1, previous_pages: Some(2), stack },
        HostRecord::StaleView { memory: 0, pages: 1, stack },
        HostRecord::Note { text: "note".to_owned() },
        HostRecord::Uncaught { text: "Error: it".to_owned() },
    ];
    records.into_iter().map(Record::Host).collect()
}

fn end() -> Vec<Record> {
    let globals = |values| Record::Globals { live_frames: LiveFrames::None, values };
    vec![
        Record::Snapshot { memory: 0, pages: 3 },
        Record::SnapshotBytes { address: 8192, bytes: vec![0, 48, 0, 0, 1, 2, 3, 4] },
        globals(vec![(0, 8192)]),
        Record::Select { instance: 2 },
        globals(Vec::new()),
        Record::Clock { micros: 1_000 },
        Record::Exit { code: 0 },
    ]
}

fn bytes() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    recording().iter().for_each(|record| writer.record(record));
    writer.finish().unwrap()
}

/// Reads a trace as far as possible, and says all that there is to say.
fn look(bytes: &[u8]) -> bool {
    let mut analysis = Analysis::default();
    let pushed = analysis.push(bytes);
    let analysis = analysis.finish();
    if let Ok(report) = analysis.report() {
        assert!(!report.to_string().is_empty());
    }
    let _ = analysis.profile();
    pushed.is_ok()
}

#[test]
fn the_recording_itself_is_sound() {
    let bytes = bytes();
    assert!(look(&bytes));
    let trace = Trace::from_bytes(bytes);
    let records: Vec<Record> = trace.records().map(Result::unwrap).collect();
    assert_eq!(records, recording());
    let report = linmem::analyze(&trace).unwrap();
    assert_eq!((report.memories.len(), report.instances.len()), (2, 3));
}

#[test]
fn a_trace_may_have_any_byte_wrong() {
    let sound = bytes();
    let (mut refused, mut read) = (0, 0);
    for at in 8..sound.len() {
        let byte = sound[at];
        for wrong in [0, 1, 0x7f, 0x80, 0xff, byte ^ 1, byte.wrapping_add(1)] {
            let mut damaged = sound.clone();
            damaged[at] = wrong;
            match look(&damaged) {
                true => read += 1,
                false => refused += 1,
            }
        }
    }
    assert!(refused > 500 && read > 500, "{refused} refused, {read} read");
}

/// A number that takes all of its ten bytes, in the place of each byte.
#[test]
fn a_trace_may_have_a_huge_number_anywhere() {
    let sound = bytes();
    for at in 8..sound.len() {
        for huge in [&[0xff; 9][..], &[0xff, 0xff, 0xff, 0xff, 0x0f], &[0xff, 0xff, 0x03]] {
            let last: &[u8] = if huge.len() == 9 { &[1] } else { &[] };
            look(&[&sound[..at], huge, last, &sound[at + 1..]].concat());
        }
    }
}

#[test]
fn a_trace_may_lack_any_record() {
    let records = recording();
    for missing in 0..records.len() {
        let mut writer = Writer::new(Vec::new());
        let others = records.iter().enumerate().filter(|(number, _)| *number != missing);
        others.for_each(|(_, record)| writer.record(record));
        look(&writer.finish().unwrap());
    }
}
