//! `docs/trace-format.md` against the code: its example is read as it says.

use linmem::trace::{
    ContextId, Entry, Event, Frame, HostStackId, LiveFrames, Record, Sharing, UNKNOWN_SIZE,
};
use linmem::{Trace, analyze};

const DOCUMENT: &str = include_str!("../../../docs/trace-format.md");

/// The bytes of the first ```` ```hex ```` block; what follows a `;` is a comment.
fn example_bytes(document: &str) -> Vec<u8> {
    let block = document.split("```hex\n").nth(1).unwrap().split("```").next().unwrap();
    let words = block.lines().flat_map(|line| line.split(';').next().unwrap().split_whitespace());
    words.map(|word| u8::from_str_radix(word, 16).unwrap()).collect()
}

#[test]
fn the_example_trace_reads_as_it_says() {
    let trace = Trace::from_bytes(example_bytes(DOCUMENT));
    let records: Vec<Record> = trace.records().map(Result::unwrap).collect();
    let (first, second) = (ContextId(0), ContextId(1));
    let caller = Some(HostStackId(0));
    let wasm = |function, offset| Frame::Wasm { function, offset };
    let expected = [
        Record::Module {
            name: "tiny.wasm".to_owned(),
            bytes: wat::parse_str("(module (memory 1))").unwrap(),
            allocator: r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#.to_owned(),
        },
        Record::Memory {
            initial_pages: 1,
            max_pages: None,
            page_bytes: 65_536,
            sharing: Sharing::Private,
        },
        Record::Instance { module: 0, memory: 0 },
        Record::Event(Event::Called { function: 3, times: 1 }),
        Record::Context { frames: vec![wasm(3, None), wasm(5, Some(328))] },
        Record::HostStack {
            module: None,
            frames: vec![Frame::Host("main (app.mjs:1)".to_owned())],
        },
        Record::Entered(Entry { function: 3, level: 0, caller, stack_pointer: None }),
        Record::Event(Event::Allocated { pointer: 4096, size: 100, align: 0, context: first }),
        Record::Context { frames: vec![wasm(5, Some(334))] },
        Record::Event(Event::Freed {
            pointer: 4096,
            size: UNKNOWN_SIZE,
            align: 0,
            context: second,
        }),
        Record::Event(Event::Allocated { pointer: 4096, size: 20, align: 16, context: first }),
        Record::Event(Event::Reallocating {
            pointer: 4096,
            old_size: UNKNOWN_SIZE,
            align: 0,
            new_size: 40,
            context: second,
        }),
        Record::Event(Event::Grown {
            delta_pages: 2,
            previous_pages: Some(1),
            in_allocator: true,
            context: second,
        }),
        Record::Event(Event::Reallocated { pointer: 4224 }),
        Record::Snapshot { memory: 0, pages: 3 },
        Record::SnapshotBytes { address: 4096, bytes: 4224u32.to_le_bytes().to_vec() },
        Record::Globals { live_frames: LiveFrames::None, values: vec![(0, 4096)] },
        Record::Exit { code: 0 },
        Record::Clock { micros: 1000 },
    ];
    assert_eq!(records, expected);

    let report = analyze(&trace).unwrap();
    assert!(!report.truncated);
    let [leak] = report.leaks()[..] else { panic!("{report}") };
    let outermost = leak.stacks[0].stack.last().unwrap();
    assert_eq!(outermost.function, "main (app.mjs:1)");
}
