//! Damaged recordings, recordings that are made to be expensive, and the round trip.

use std::io::Read;
use std::time::{Duration, Instant};

use linmem::trace::{
    AccessedBy, BadAccess, ContextId, Crossing, Entry, Event, Frame, HostRecord, HostStackId,
    LiveFrames, NotReturned, Reader, Record, Sharing, SizeReadBy, UNKNOWN_SIZE, Writer,
};
use linmem::{AnalysisOptions, analyze_stream};
use linmem::{ErrorKind, Report, Result};
use linmem_wasmtime::Run;
use proptest::prelude::*;

use super::assert_modest_memory;
use super::files::{NO_ALLOCATOR, flipped};

/// The first bytes of a trace.
const MAGIC: [u8; 8] = *b"linmem\0\x01";

/// The tag of an exit record.
const EXIT: u8 = 0x0b;

/// A program that does a bit of everything that is recorded.
const PROGRAM: &str = include_str!("program.wat");

/// A recording of [`PROGRAM`].
fn recording() -> Vec<u8> {
    let wasm = wat::parse_str(PROGRAM).expect("a valid program");
    let run = Run::new(&wasm).expect("accepted").run().expect("started");
    run.trace.as_bytes().to_vec()
}

/// Analyses a recording, and writes its report in every format.
fn analyze(bytes: &[u8]) -> Result<Report> {
    let report = analyze_stream(bytes, &AnalysisOptions::default())?;
    assert!(!report.to_string().is_empty());
    linmem::export::json(&report, |_| None, &mut Vec::new())?;
    Ok(report)
}

/// The same for a damaged recording: it may be refused, with words.
fn analyze_damaged(bytes: &[u8]) -> Option<Report> {
    match analyze(bytes) {
        Ok(report) => Some(report),
        Err(error) => {
            let kinds = [ErrorKind::InvalidTrace, ErrorKind::InvalidModule, ErrorKind::Unsupported];
            assert!(kinds.contains(&error.kind()), "{error}");
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

#[test]
fn a_recording_cut_off_anywhere_is_analysed_up_to_there() {
    let whole = recording();
    let report = analyze(&whole).expect("a whole recording");
    assert!(!report.truncated && report.misuse().len() == 1 && report.totals.failed == 1);
    // After the program's end only the time is left.
    let exit = whole.windows(2).rposition(|bytes| bytes == [EXIT, 0]).expect("it ended") + 2;
    for end in 0..whole.len() {
        match analyze_damaged(&whole[..end]) {
            Some(report) => assert!(report.truncated || end == exit, "cut off at {end}"),
            None => assert!(end < MAGIC.len(), "refused when cut off at {end}"),
        }
    }
    assert_modest_memory();
}

#[test]
fn a_recording_with_flipped_bytes_is_refused_or_analysed() {
    let whole = recording();
    let snapshot = whole.windows(9).position(|bytes| bytes == b"look here").expect("in memory");
    let mut analysed = 0;
    for copy in flipped(&whole, snapshot, 50_000) {
        analysed += usize::from(analyze_damaged(&copy).is_some());
    }
    assert!(analysed > 1_000, "only {analysed} damaged recordings were analysed");
    assert_modest_memory();
}

#[test]
fn a_damaged_recording_of_a_real_program_is_refused_or_analysed() {
    let wasm = include_bytes!("../../../../examples/leaks.wasm");
    let whole = Run::new(wasm).expect("an example").run().expect("started").trace;
    let whole = whole.as_bytes();
    for end in (0..whole.len()).step_by(whole.len() / 300) {
        analyze_damaged(&whole[..end]);
    }
    for copy in flipped(whole, whole.len(), 300) {
        analyze_damaged(&copy);
    }
    assert_modest_memory();
}

#[test]
fn what_is_no_recording_is_refused_with_a_reason() {
    let refused = [
        (&b""[..], "shorter"),
        (b"\0asm\x01\0\0\0", "does not start with"),
        (b"linmem\0\xff", "format version 255"),
        (b"linmem\0\x01\xee", "unknown record tag 0xee"),
        (b"linmem\0\x01\x02\0\0\0", "about a module that the trace has not given"),
        (b"linmem\0\x01\x10\0\0\0", "about an instance that the trace has not given"),
    ];
    for (bytes, reason) in refused {
        let error = analyze(bytes).expect_err("no recording");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// A recording of one module, one memory and one instance, then `records`.
fn written(records: impl IntoIterator<Item = Record>) -> Vec<u8> {
    let wasm = wat::parse_str("(module (memory 1) (func))").expect("valid");
    let allocator = NO_ALLOCATOR.to_owned();
    let mut writer = Writer::new(Vec::new());
    writer.record(&Record::Module { name: String::new(), bytes: wasm, allocator });
    writer.record(&MEMORY);
    writer.record(&INSTANCE);
    records.into_iter().for_each(|record| writer.record(&record));
    writer.finish().expect("memory takes everything")
}

const MEMORY: Record = Record::Memory {
    initial_pages: 1,
    max_pages: None,
    page_bytes: 65_536,
    sharing: Sharing::Private,
};
const INSTANCE: Record = Record::Instance { module: 0, memory: 0 };
const FIRST: ContextId = ContextId(0);

fn context() -> Record {
    Record::Context { frames: Vec::new() }
}

fn allocated(pointer: u64, size: u64, context: ContextId) -> Record {
    Record::Event(Event::Allocated { pointer, size, align: 0, context })
}

/// Growth past the allocator, from no pages at all.
fn grown(delta_pages: u64) -> Record {
    Record::Event(Event::Grown {
        delta_pages,
        previous_pages: Some(0),
        in_allocator: false,
        context: FIRST,
    })
}

/// A snapshot whose memory is one page of pointers, one to each of the first blocks.
fn page_of_pointers(blocks: u32) -> [Record; 4] {
    let words = (1..).map(|n: u32| n % blocks).take(16_384);
    [
        Record::Snapshot { memory: 0, pages: 100_000 },
        Record::SnapshotBytes { address: 0, bytes: words.flat_map(u32::to_le_bytes).collect() },
        Record::Globals { live_frames: LiveFrames::None, values: Vec::new() },
        Record::Exit { code: 0 },
    ]
}

/// Analyses a recording in a time that allows for no work that grows with the square of its size.
fn assert_quick(records: impl IntoIterator<Item = Record>) {
    let recording = written(records);
    let start = Instant::now();
    analyze(&recording).expect("a whole recording");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{} bytes took {took:?}", recording.len());
    assert_modest_memory();
}

#[test]
fn every_instance_pays_for_its_own_contexts_only() {
    let contexts = 50_000;
    let last = ContextId(contexts - 1);
    let instances = (0..5_000).flat_map(|memory| {
        [MEMORY, Record::Instance { module: 0, memory: memory + 1 }, allocated(4_096, 8, last)]
    });
    assert_quick((0..contexts).map(|_| context()).chain(instances));
}

#[test]
fn growth_is_explained_once() {
    let growth = (0..70_000).map(|_| grown(1));
    let failures = (0..200_000).map(|_| allocated(0, 8, FIRST));
    assert_quick([context()].into_iter().chain(growth).chain(failures));
}

#[test]
fn memory_is_a_root_once() {
    let growth = (0..70_000).map(|_| grown(100_000));
    let blocks = (0..70_000).map(|n| allocated(0x1000_0000 + n, 1, FIRST));
    let records = [context()].into_iter().chain(growth).chain(blocks);
    assert_quick(records.chain(page_of_pointers(1 << 31)));
}

#[test]
fn blocks_that_overlap_are_marked_once() {
    let blocks = (1..70_000).map(|n| allocated(n, 1 << 40, FIRST));
    assert_quick([context()].into_iter().chain(blocks).chain(page_of_pointers(70_000)));
}

#[test]
fn many_instances_of_one_module_take_their_time_once() {
    let functions = "(func)".repeat(50_000);
    let wasm = wat::parse_str(format!("(module (memory 1) {functions})")).expect("valid");
    let allocator = NO_ALLOCATOR.to_owned();
    let module = Record::Module { name: String::new(), bytes: wasm, allocator };
    let instances = (0..20_000).flat_map(|memory| {
        [MEMORY, Record::Instance { module: 1, memory: memory + 1 }, allocated(4_096, 8, FIRST)]
    });
    assert_quick([module, context()].into_iter().chain(instances));
}

#[test]
fn calls_are_counted_by_function_at_once() {
    assert_quick((0..200_000).map(|function| Record::Event(Event::Called { function, times: 1 })));
}

#[test]
fn a_deep_stack_that_many_findings_share_is_shown_in_part() {
    let deep = Record::Context { frames: vec![Frame::Host("f".to_owned()); 200_000] };
    let contexts = (1..70_000).map(|_| context());
    let frees = (1..70_000).map(|n| {
        let context = ContextId(n);
        Record::Event(Event::Freed { pointer: 8, size: UNKNOWN_SIZE, align: 0, context })
    });
    let block = allocated(8, 8, FIRST);
    assert_quick([deep].into_iter().chain(contexts).chain([block]).chain(frees));
}

#[test]
fn addresses_at_the_end_of_the_address_space_do_no_harm() {
    let sized = |pointer, size| {
        Record::Event(Event::Freed { pointer, size, align: u64::MAX, context: FIRST })
    };
    let reallocating = Record::Event(Event::Reallocating {
        pointer: u64::MAX - 2,
        old_size: u64::MAX - 1,
        align: 1,
        new_size: u64::MAX,
        context: FIRST,
    });
    let grown = Record::Event(Event::Grown {
        delta_pages: u64::MAX,
        previous_pages: Some(u64::MAX - 1),
        in_allocator: true,
        context: FIRST,
    });
    let analysed = analyze(&written([
        context(),
        allocated(u64::MAX, u64::MAX, FIRST),
        allocated(u64::MAX - 1, u64::MAX, FIRST),
        allocated(1, u64::MAX, FIRST),
        reallocating,
        Record::Event(Event::Reallocated { pointer: u64::MAX - 3 }),
        sized(u64::MAX, 7),
        sized(u64::MAX, UNKNOWN_SIZE),
        grown,
        allocated(0, u64::MAX, FIRST),
        Record::LowMemory { first: u64::MAX, last: 0, changed: u64::MAX },
        Record::Clock { micros: u64::MAX },
        Record::Snapshot { memory: 0, pages: u64::MAX },
        Record::SnapshotBytes { address: 1 << 40, bytes: vec![1; 7] },
        Record::Globals { live_frames: LiveFrames::None, values: vec![(u64::MAX, 1)] },
        Record::Exit { code: i32::MIN },
    ]));
    assert!(analysed.is_ok_and(|report| !report.truncated));
}

#[test]
fn memory_where_none_can_be_is_refused() {
    let refused = analyze(&written([
        Record::Snapshot { memory: 0, pages: u64::MAX },
        Record::SnapshotBytes { address: u64::MAX - 2, bytes: vec![1; 2] },
        Record::Exit { code: 0 },
    ]));
    let error = refused.expect_err("beyond any memory");
    assert!(error.to_string().contains("outside of the memory"), "{error}");
}

/// A source that gives its bytes in small pieces.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let few = buffer.len().min(3);
        self.0.read(&mut buffer[..few])
    }
}

prop_compose! {
    fn text()(text in "\\PC{0,12}") -> String { text }
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, any::<u64>(), Just(u64::MAX)]
}

/// A size that is known, or not; where it is not, no alignment is known either.
fn size_and_align() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![(0..UNKNOWN_SIZE, number()), Just((UNKNOWN_SIZE, 0))]
}

fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let wasm = (any::<u32>(), any::<Option<u32>>())
        .prop_map(|(function, offset)| Frame::Wasm { function, offset });
    prop::collection::vec(prop_oneof![wasm, text().prop_map(Frame::Host)], 0..6)
}

fn event() -> impl Strategy<Value = Event> {
    let context = any::<u32>().prop_map(ContextId);
    prop_oneof![
        (number(), number(), number(), context.clone()).prop_map(
            |(pointer, size, align, context)| Event::Allocated { pointer, size, align, context }
        ),
        (number(), size_and_align(), context.clone()).prop_map(
            |(pointer, (size, align), context)| Event::Freed { pointer, size, align, context }
        ),
        (number(), size_and_align(), number(), context.clone()).prop_map(
            |(pointer, (old_size, align), new_size, context)| Event::Reallocating {
                pointer,
                old_size,
                align,
                new_size,
                context
            }
        ),
        number().prop_map(|pointer| Event::Reallocated { pointer }),
        (number(), any::<Option<u64>>(), any::<bool>(), context).prop_map(
            |(delta_pages, previous_pages, in_allocator, context)| Event::Grown {
                delta_pages,
                previous_pages,
                in_allocator,
                context
            }
        ),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let globals = prop::collection::vec((number(), number()), 0..5);
    prop_oneof![
        8 => event().prop_map(Record::Event),
        1 => (text(), bytes(), text())
            .prop_map(|(name, bytes, allocator)| Record::Module { name, bytes, allocator }),
        1 => (number(), any::<Option<u64>>(), number(), sharing()).prop_map(
            |(initial_pages, max_pages, page_bytes, sharing)| Record::Memory {
                initial_pages,
                max_pages,
                page_bytes,
                sharing
            }
        ),
        1 => (number(), number())
            .prop_map(|(module, memory)| Record::Instance { module, memory }),
        1 => (text(), number())
            .prop_map(|(process, thread)| Record::Thread { process, thread }),
        1 => (any::<Option<u64>>(), frames())
            .prop_map(|(module, frames)| Record::HostStack { module, frames }),
        1 => entry().prop_map(Record::Entered),
        1 => number().prop_map(|level| Record::Resumed { level }),
        1 => not_returned().prop_map(Record::NotReturned),
        1 => (any::<u32>(), 0..3u32, number()).prop_map(|(function, caller, times)| {
            Record::CalledFrom { function, caller: HostStackId(caller), times }
        }),
        1 => number().prop_map(|number| Record::Sequence { number }),
        1 => number().prop_map(|number| Record::ModuleNumber { number }),
        1 => number().prop_map(|number| Record::ModuleOfProcess { number }),
        1 => number().prop_map(|instance| Record::Select { instance }),
        1 => frames().prop_map(|frames| Record::Context { frames }),
        1 => number().prop_map(|micros| Record::Clock { micros }),
        1 => (number(), number(), number())
            .prop_map(|(first, last, changed)| Record::LowMemory { first, last, changed }),
        1 => any::<bool>().prop_map(|knows_heap| Record::Checked { knows_heap }),
        1 => any::<u32>().prop_map(|function| Record::Unchecked { function }),
        1 => bad_access().prop_map(|access| Record::Event(Event::BadAccess(access))),
        1 => (any::<u32>(), number())
            .prop_map(|(function, times)| Record::Event(Event::Called { function, times })),
        1 => (number(), crossing())
            .prop_map(|(pointer, crossing)| Record::Event(Event::Crossed { pointer, crossing })),
        1 => (number(), number())
            .prop_map(|(memory, pages)| Record::Snapshot { memory, pages }),
        1 => (any::<bool>(), globals)
            .prop_map(|(live, values)| {
                let live_frames = if live { LiveFrames::Own } else { LiveFrames::OtherThreads };
                Record::Globals { live_frames, values }
            }),
        1 => (number(), bytes())
            .prop_map(|(address, bytes)| Record::SnapshotBytes { address, bytes }),
        1 => host_record().prop_map(Record::Host),
        1 => any::<i32>().prop_map(|code| Record::Exit { code }),
        1 => (text(), frames()).prop_map(|(message, frames)| Record::Trap { message, frames }),
    ]
}

fn bad_access() -> impl Strategy<Value = BadAccess> {
    let by = prop::sample::select(vec![
        AccessedBy::Instruction,
        AccessedBy::ReadRange,
        AccessedBy::WrittenRange,
        AccessedBy::ReadByImport,
        AccessedBy::WrittenByImport,
        AccessedBy::Overwritten,
        AccessedBy::Untold,
    ]);
    let context = (0..3u32).prop_map(ContextId);
    (any::<u32>(), by, number(), number(), context).prop_map(
        |(instruction, by, address, bytes, context)| BadAccess {
            instruction,
            by,
            address,
            bytes,
            context,
        },
    )
}

fn sharing() -> impl Strategy<Value = Sharing> {
    let shared = (0..3u64).prop_map(Sharing::Shared);
    prop_oneof![Just(Sharing::Private), Just(Sharing::Unknown), shared]
}

fn entry() -> impl Strategy<Value = Entry> {
    let caller = prop::option::of((0..3u32).prop_map(HostStackId));
    (any::<u32>(), number(), caller, any::<Option<u64>>()).prop_map(
        |(function, level, caller, stack_pointer)| Entry { function, level, caller, stack_pointer },
    )
}

fn not_returned() -> impl Strategy<Value = NotReturned> {
    let caller = prop::option::of((0..3u32).prop_map(HostStackId));
    (any::<u32>(), caller, number(), [number(), number(), number(), number()]).prop_map(
        |(function, caller, stack_bytes, passed)| NotReturned {
            function,
            caller,
            stack_bytes,
            passed,
        },
    )
}

fn crossing() -> impl Strategy<Value = Crossing> {
    prop_oneof![
        Just(Crossing::HandedOut),
        (any::<u32>(), any::<u32>(), prop::option::of((0..3u32).prop_map(HostStackId))).prop_map(
            |(function, parameter, caller)| Crossing::Passed { function, parameter, caller }
        ),
        any::<u32>().prop_map(Crossing::Returned),
    ]
}

fn host_record() -> impl Strategy<Value = HostRecord> {
    let stack = || (0..3u32).prop_map(HostStackId);
    let by = prop_oneof![
        Just(SizeReadBy::HostView),
        Just(SizeReadBy::GrowZero),
        Just(SizeReadBy::Instruction),
    ];
    prop_oneof![
        stack().prop_map(|stack| HostRecord::Created { stack }),
        Just(HostRecord::Collected),
        Just(HostRecord::TookFunction),
        (number(), by, number(), stack()).prop_map(|(memory, by, pages, stack)| {
            HostRecord::SizeRead { memory, by, pages, stack }
        }),
        (number(), number(), any::<Option<u64>>(), stack()).prop_map(
            |(memory, delta_pages, previous_pages, stack)| HostRecord::HostGrown {
                memory,
                delta_pages,
                previous_pages,
                stack
            }
        ),
        (number(), stack()).prop_map(|(memory, stack)| HostRecord::Overwritten { memory, stack }),
        (number(), number(), stack()).prop_map(|(memory, address, stack)| HostRecord::Registered {
            memory,
            address,
            stack
        }),
        (number(), number())
            .prop_map(|(memory, address)| HostRecord::Unregistered { memory, address }),
        (number(), number()).prop_map(|(memory, address)| HostRecord::Kept { memory, address }),
        (number(), number(), stack()).prop_map(|(memory, pages, stack)| HostRecord::StaleView {
            memory,
            pages,
            stack
        }),
        (number(), number(), number(), any::<bool>(), stack()).prop_map(
            |(memory, address, bytes, is_write, stack)| HostRecord::Accessed {
                memory,
                address,
                bytes,
                is_write,
                stack
            }
        ),
        text().prop_map(|text| HostRecord::Note { text }),
        text().prop_map(|text| HostRecord::Uncaught { text }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_come_back_as_they_were_written(
        records in prop::collection::vec(record(), 0..60),
    ) {
        let mut writer = Writer::new(Vec::new());
        records.iter().for_each(|record| writer.record(record));
        let bytes = writer.finish().expect("memory takes everything");
        let read: Vec<Record> =
            Reader::new(Drip(&bytes)).collect::<Result<_>>().expect("nothing is damaged");
        prop_assert_eq!(read, records);
    }

    #[test]
    fn any_bytes_after_the_header_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = [&MAGIC[..], &bytes].concat();
        let mut reader = Reader::new(&bytes[..]);
        let last = reader.by_ref().last();
        prop_assert!(last.is_none_or(|last| last.map_err(|e| e.to_string()) != Err(String::new())));
        analyze_damaged(&bytes);
    }
}
