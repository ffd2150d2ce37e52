//! What reports say of recordings that are written by hand, and what they do not: each sentence is said where it is true,
//! and not of a program that would make it false (`docs/counter-examples.md`).

use super::RepeatsBuilder;
use super::recording::Recording;
use crate::report::{AfterCall, Report, Witnesses};
use crate::trace::{
    Alive, HostRecord, HostStackId, LiveFrames, Record, Refused, Sharing, SizeReadBy,
};

/// An allocator that is seen whole: `malloc` alone can grow the memory. `work` is function 2.
const WHOLE: &str = r#"(module (memory 2)
    (func (export "malloc") (param i32) (result i32) (drop (memory.grow (i32.const 1))) (i32.const 8))
    (func (export "free") (param i32))
    (func (export "work") (drop (call 0 (i32.const 8)))))"#;

/// No allocator: `work` is function 0, and grows the memory itself.
const NO_ALLOCATOR: &str = r#"(module (memory 2)
    (func (export "work") (drop (memory.grow (i32.const 1)))))"#;

fn of(module: &str) -> Recording {
    let mut recording = Recording::of(&[("a.wasm", module)], &["work", "parse", "format"]);
    recording.host_stacks(&["app.mjs:5"]);
    recording.instance(0);
    recording
}

/// A recording in which `work` was called once.
fn working(module: &str) -> Recording {
    let mut recording = of(module);
    recording.call(if module == WHOLE { 2 } else { 0 }, 1);
    recording
}

fn report(mut recording: Recording) -> Report {
    recording.snapshot(0);
    recording.finish().report().unwrap()
}

fn text(recording: Recording) -> String {
    report(recording).to_string()
}

/// That a report says one thing, and not another.
#[track_caller]
fn says(text: &str, said: &str, not_said: &str) {
    assert!(text.contains(said), "{said:?} is not said:\n{text}");
    assert!(!text.contains(not_said), "{not_said:?} is said:\n{text}");
}

#[test]
fn calls_keep_more_only_where_they_do() {
    let of = |kept: u64| {
        let mut recording = of(WHOLE);
        let mut words = Vec::new();
        for call in 0..20 {
            recording.call(1, 1);
            recording.called_from(1, 0, 1);
            recording.enter(1, Some(0));
            recording.allocate(0x800, 4, 1);
            recording.free(0x800);
            recording.allocate(0x1000 + 16 * call, 10, 0);
            if call >= kept {
                recording.free(0x1000 + 16 * call);
            }
            words.push((0x400 + 4 * call, 0x1000 + 16 * call as u32));
        }
        recording.snapshot_with(0, &[], &words);
        recording.finish().report().unwrap().to_string()
    };
    let more = "no problems found, but calls keep more and more: 200 bytes in 20 blocks";
    says(&of(20), more, "no problems found\n");
    says(&of(3), "no problems found\n", "more and more:");
}

#[test]
fn how_a_program_ended_is_said_as_it_was() {
    let ended = |record: Record| {
        let mut recording = working(WHOLE);
        recording.snapshot(0);
        recording.0.record(&record);
        recording.stop().report().unwrap().to_string()
    };
    let trapped = ended(Record::Trap { message: "unreachable".to_owned(), frames: Vec::new() });
    says(&trapped, "a.wasm: trapped\n", "The program exited with code");
    says(&trapped, "\nThe program trapped: unreachable\n", "The recording stops");
    let exited = ended(Record::Exit { code: 3 });
    says(&exited, "The program exited with code 3.", "trapped");
    says(&ended(Record::Exit { code: 0 }), "no problems found", "The program exited");
}

#[test]
fn nothing_is_wrong_only_where_something_was_watched() {
    says(&text(working(WHOLE)), ": no problems found\n", "so only growth was watched");
    let mut leak = working(WHOLE);
    leak.allocate(0x1000, 8, 0);
    says(&text(leak), ": 1 error\n", "no problems found");
    // Of an allocator that is not seen whole, no allocation may be one that was not seen.
    let partly = r#"(module (memory 2) (func (export "malloc") (param i32) (result i32) (i32.const 8))
        (func (export "free") (param i32)) (func (export "work") (drop (memory.grow (i32.const 1)))))"#;
    let unseen = "no allocation was seen, so only growth was watched";
    let mut seen_in_part = of(partly);
    seen_in_part.call(2, 1);
    says(&text(seen_in_part), unseen, "no problems found");
    let mut seen = of(partly);
    seen.call(2, 1);
    seen.allocate(0x1000, 8, 0);
    seen.free(0x1000);
    says(&text(seen), "no problems found", unseen);
    let none = "no allocator function was found, so only growth was watched";
    says(&text(working(NO_ALLOCATOR)), none, unseen);
    says(&text(working(WHOLE)), "no problems found", none);
}

#[test]
fn nothing_ran_only_where_no_export_was_called() {
    let ran = "nothing ran but its initialisation, as it has no `_start`";
    says(&text(of(WHOLE)), ran, "no problems found");
    says(&text(working(WHOLE)), "no problems found", ran);
    // A host that says where it made an instance does not say what it called.
    let mut made = of(WHOLE);
    made.0.record(&Record::Host(HostRecord::Created { stack: HostStackId(0) }));
    says(&text(made), "no problems found", ran);
}

#[test]
fn no_instance_was_made_only_where_it_was_refused() {
    let refused = |recording: &mut Recording| {
        let alive = Alive { instances: 0, memories: 0, pages: 0 };
        let (what, text) = (Refused::Instance, "LinkError: an import".to_owned());
        let stack = HostStackId(0);
        let refused = HostRecord::Refused { what, module: Some(0), text, alive, stack };
        recording.0.record(&Record::Host(refused));
    };
    let ran = "nothing ran but its initialisation, as it has no `_start`";
    let mut never_made = of(WHOLE);
    refused(&mut never_made);
    says(&text(never_made), "a.wasm: no instance could be made of it\n", ran);
    let mut made_again = working(WHOLE);
    refused(&mut made_again);
    says(&text(made_again), "no problems found", "no instance could be made of it");
    says(&text(of(WHOLE)), ran, "no instance could be made of it");
}

#[test]
fn the_recording_stops_only_where_the_program_had_not_ended() {
    let stops = "The recording stops before the program ended.";
    let mut early = working(WHOLE);
    early.allocate(0x1000, 8, 0);
    let text_of_early = early.stop().report().unwrap().to_string();
    says(&text_of_early, stops, "no problems found");
    says(&text_of_early, "not judged: the recording stops before the program ended", "lost");
    // Of a memory without a snapshot nothing is left to judge: a module without a memory of its own, a worker that was
    // ended.
    let ended = working(WHOLE).finish().report().unwrap().to_string();
    says(&ended, "no problems found", "ecording stops before the program ended");
    let mut left = working(WHOLE);
    left.allocate(0x1000, 8, 0);
    let left = left.finish().report().unwrap().to_string();
    let no_snapshot = "not judged: it was not recorded what the memory held at the end";
    says(&left, no_snapshot, "ecording stops before the program ended");
    let mut freed = working(WHOLE);
    freed.allocate(0x1000, 8, 0);
    freed.free(0x1000);
    let freed = freed.finish().report().unwrap().to_string();
    says(&freed, "blocks left  none", "ecording stops before the program ended");
}

#[test]
fn a_thread_was_ended_only_where_it_did_not_end_by_itself() {
    let ended = "not judged: its thread was ended before linmem could look at it";
    let stops = "not judged: the recording stops before the program ended";
    let of_thread = |thread: u64| {
        let mut recording = working(WHOLE);
        recording.0.record(&Record::Thread { process: "1".to_owned(), thread });
        recording.allocate(0x1000, 8, 0);
        recording
    };
    says(&of_thread(1).stop().report().unwrap().to_string(), ended, stops);
    says(&of_thread(0).stop().report().unwrap().to_string(), stops, ended);
    says(&text(of_thread(1)), "1 error", ended);
}

#[test]
fn the_memory_grew_past_what_is_hooked_only_where_it_did() {
    let partly = r#"(module (memory 2) (func (export "malloc") (param i32) (result i32) (i32.const 8))
        (func (export "free") (param i32)) (func (export "work") (drop (memory.grow (i32.const 1)))))"#;
    let grown = |module: &str, in_allocator: bool, growths: u64| {
        let mut recording = of(module);
        recording.call(2, 1);
        recording.allocate(0x1000, 8, 0);
        recording.free(0x1000);
        (0..growths).for_each(|pages| recording.grow(Some(2 + pages), in_allocator, 0));
        text(recording)
    };
    let past = "the memory grew 3 times past the functions that are hooked";
    says(&grown(partly, false, 3), past, ": no problems found\n");
    for (module, in_allocator, growths) in
        [(partly, true, 3), (WHOLE, false, 3), (partly, false, 0)]
    {
        says(&grown(module, in_allocator, growths), ": no problems found\n", "past the functions");
    }
}

#[test]
fn leaks_are_not_judged_only_where_blocks_are_left() {
    let exited_inside = |blocks: u64| {
        let mut recording = working(WHOLE);
        (0..3).for_each(|n| recording.allocate(0x1000 * (1 + n), 8, 0));
        (blocks..3).for_each(|n| recording.free(0x1000 * (1 + n)));
        recording.0.record(&Record::Snapshot { memory: 0, pages: 2 });
        let live_frames = LiveFrames::Own;
        recording.0.record(&Record::Globals { live_frames, values: Vec::new() });
        recording.finish().report().unwrap().to_string()
    };
    let why = "the program exited from inside a call, and its frames may hold pointers that nobody can see";
    let not_judged = format!("leaks were not judged: {why}");
    says(&exited_inside(2), &not_judged, "no problems found");
    says(&exited_inside(2), &format!("blocks left  not judged: {why}"), "blocks left  none");
    says(&exited_inside(0), "no problems found", "not judged");
    let mut returned = working(WHOLE);
    returned.allocate(0x1000, 8, 0);
    says(&text(returned), "definitely lost", "not judged");
}

#[test]
fn frames_of_a_trap_hold_nothing_where_nothing_is_left() {
    let trapped = |is_freed: bool| {
        let mut recording = working(WHOLE);
        recording.allocate(0x1000, 8, 0);
        if is_freed {
            recording.free(0x1000);
        }
        recording.snapshot(0);
        recording.0.record(&Record::Trap { message: "unreachable".to_owned(), frames: Vec::new() });
        recording.stop().report().unwrap().to_string()
    };
    let why = "the program trapped, and its frames may hold pointers that nobody can see";
    says(&trapped(false), why, "blocks left  none");
    says(&trapped(true), "blocks left  none", why);
}

#[test]
fn an_instance_that_was_collected_is_judged_where_all_was_freed() {
    let collected = |is_freed: bool| {
        let mut recording = working(WHOLE);
        recording.allocate(0x1000, 8, 0);
        if is_freed {
            recording.free(0x1000);
        }
        recording.0.record(&Record::Host(HostRecord::Collected));
        recording.finish().report().unwrap().to_string()
    };
    let why = "the instance was garbage-collected before";
    says(&collected(false), why, "blocks left  none");
    says(&collected(false), "The memory went with the instance", "Let the program return");
    says(&collected(true), "blocks left  none", why);
}

#[test]
fn the_headline_counts_blocks_that_threads_may_hold() {
    let headline = |pointer: u32| {
        let mut recording = working(WHOLE);
        recording.allocate(0x1000, 8, 0);
        recording.0.record(&Record::Snapshot { memory: 0, pages: 2 });
        let bytes = pointer.to_le_bytes().to_vec();
        recording.0.record(&Record::SnapshotBytes { address: 0x400, bytes });
        let live_frames = LiveFrames::OtherThreads;
        recording.0.record(&Record::Globals { live_frames, values: Vec::new() });
        let text = recording.finish().report().unwrap().to_string();
        text.lines().next().unwrap_or_default().to_owned()
    };
    let held = "no problems found, but 1 block perhaps held by other threads";
    assert_eq!(headline(0), format!("linmem: a.wasm: {held}"));
    assert_eq!(headline(0x1000), "linmem: a.wasm: no problems found");
}

#[test]
fn a_heap_was_watched_where_its_allocator_is_seen_whole() {
    let not_watched = "heap         not watched: no allocation was seen";
    says(&text(working(NO_ALLOCATOR)), not_watched, "0 allocations");
    says(&text(working(WHOLE)), "heap         0 allocations", not_watched);
}

/// What was at the peak of blocks says nothing of a memory that grew without blocks.
#[test]
fn pages_at_the_peak_are_those_of_that_time() {
    let mut without_blocks = working(NO_ALLOCATOR);
    (2..100).for_each(|pages| without_blocks.grow(Some(pages), false, 0));
    says(&text(without_blocks), "2 pages at start, 100 at end", "at peak");
    let mut later = working(WHOLE);
    later.allocate(0x1000, 8, 0);
    (2..100).for_each(|pages| later.grow(Some(pages), false, 0));
    let later = text(later);
    says(
        &later,
        "at peak      8 bytes in 1 block; 2 pages, slack 131,064 bytes",
        "at peak      8 bytes in 1 block; 100",
    );
    says(
        &later,
        "at end       8 bytes in 1 block; 100 pages",
        "at end       8 bytes in 1 block; 2 pages",
    );
}

#[test]
fn a_memory_has_no_maximum_only_where_none_is_declared() {
    let with = |max_pages: Option<u64>| {
        let mut recording = Recording::of(&[("a.wasm", WHOLE)], &["work"]);
        recording.memory_with(max_pages, Sharing::Private);
        recording.instance_on(0);
        text(recording)
    };
    says(&with(Some(9)), "2 pages at start, 2 at end, 9 pages at most; never grew", "no maximum");
    says(&with(None), "2 pages at start, 2 at end, no maximum; never grew", "at most");
}

fn grown_by_host(recording: &mut Recording, delta_pages: u64, previous_pages: Option<u64>) {
    let stack = HostStackId(0);
    let grown = HostRecord::HostGrown { memory: 0, delta_pages, previous_pages, stack };
    recording.0.record(&Record::Host(grown));
}

#[test]
fn a_memory_that_the_host_grew_did_grow() {
    let mut grown = working(WHOLE);
    grown_by_host(&mut grown, 3, Some(2));
    says(&text(grown), "grew 1 time\n", "never grew");
    let mut refused = working(WHOLE);
    grown_by_host(&mut refused, 3, None);
    says(&text(refused), "never grew", "grew 1 time");
}

#[test]
fn without_allocations_nothing_is_steady() {
    let mut recording = working(NO_ALLOCATOR);
    recording.grow(Some(2), false, 0);
    says(&text(recording), "grew 1 time\n", "allocation 0 of 0");
}

/// `grows` are the numbers of the allocations, from 1, that grow the memory.
fn of_forty_allocations(grows: &[u64], in_allocator: bool) -> String {
    let mut recording = working(WHOLE);
    let mut pages = 2;
    for number in 1..=40 {
        if grows.contains(&number) {
            recording.grow(Some(pages), in_allocator, 0);
            pages += 1;
        }
        recording.allocate(0x1000, 8, 0);
        recording.free(0x1000);
    }
    text(recording)
}

#[test]
fn the_allocation_that_grew_the_memory_is_counted_rightly() {
    let early = of_forty_allocations(&[1, 7], true);
    says(&early, "grew 2 times, steady since allocation 7 of 40", "the last time after");
    let late = of_forty_allocations(&[1, 40], true);
    says(&late, "grew 2 times, the last time after allocation 40 of 40", "steady");
    // The program itself grew it before its thirtieth allocation.
    let by_itself = of_forty_allocations(&[30], false);
    says(&by_itself, "grew 1 time, the last time after allocation 29 of 40", "steady");
}

#[test]
fn growths_and_pages_are_those_of_the_place() {
    let mut recording = working(WHOLE);
    (0..100).for_each(|number| grown_by_host(&mut recording, 2, Some(2 + 2 * number)));
    // What was freed before is not live.
    recording.allocate(0x9000, 500, 1);
    recording.free(0x9000);
    recording.grow(Some(202), true, 1);
    recording.allocate(0x1000, 60_000, 1);
    recording.free(0x1000);
    let said = text(recording);
    says(
        &said,
        "  100 growths, 200 pages in all; first from 2 to 4 pages, with 0 bytes live\n",
        "by 200 pages",
    );
    let one = "  1 growth by 1 page; first from 202 to 203 pages for an allocation of 60,000 bytes, with 0 bytes live\n";
    says(&said, one, "refused");
}

#[test]
fn growths_that_are_refused_are_not_counted_as_growths() {
    let mut recording = working(WHOLE);
    recording.grow(None, false, 1);
    recording.grow(Some(2), false, 2);
    recording.grow(None, false, 2);
    let said = text(recording);
    says(&said, "  1 growth refused; first from 2 pages refused, with 0 bytes live\n", "2 growths");
    says(&said, "  1 growth by 1 page, 1 refused; first from 2 to 3 pages", "2 pages in all");
    says(&said, "; grew 1 time\n", "grew 2 times");
}

/// The product of the two parameters of `calloc` may be larger than what is said.
#[test]
fn what_could_not_be_counted_is_not_said_as_a_number() {
    let failed = |size: u64| {
        let mut recording = working(WHOLE);
        recording.allocate(0, size, 0);
        text(recording)
    };
    let largest = "an allocation of at least 4,294,967,295 bytes returned NULL";
    says(&failed(u32::MAX.into()), largest, "allocation of 4,294,967,295");
    says(&failed(4_294_967_294), "an allocation of 4,294,967,294 bytes", "at least");
}

#[test]
fn what_is_hooked_and_what_is_not_is_said() {
    let none = "none: the module does not say which functions allocate";
    says(&text(working(NO_ALLOCATOR)), none, "  malloc ");
    let whole = text(working(WHOLE));
    says(&whole, "  malloc ", none);
    says(&whole, "  free ", "not seen: ");
    let reset = r#"(module (memory 2) (global $top (mut i32) (i32.const 1024))
        (func (export "malloc") (param i32) (result i32) global.get $top
          (global.set $top (i32.add (global.get $top) (local.get 0))))
        (func (export "free") (param i32))
        (func (export "reset") (global.set $top (i32.const 1024)))
        (func (export "more") (drop (memory.grow (i32.const 1)))))"#;
    let partly = text(working(reset));
    says(&partly, "  not seen: the allocator's own data is also written by reset\n", none);
    says(&partly, "  not seen: more can grow the memory past these, from more\n", none);
}

#[test]
fn functions_that_could_be_malloc_are_named_only_where_none_is_hooked() {
    let shaped = |name: &str| {
        let export = if name.is_empty() { String::new() } else { format!("(export {name:?})") };
        format!(
            r#"(module (memory 2)
                 (func {export} (param i32) (result i32) (drop (memory.grow (i32.const 1))) (i32.const 8))
                 (func (export "work") (drop (call 0 (i32.const 8)))))"#
        )
    };
    says(&text(working(&shaped(""))), "could be malloc, most called first: 0", "  malloc ");
    says(&text(working(&shaped("malloc"))), "  malloc ", "could be malloc");
}

#[test]
fn only_the_first_memory_is_watched() {
    let second = WHOLE
        .replace("(memory 2)", "(memory 2) (memory 1)")
        .replace("memory.grow", "memory.grow 0");
    let watched = "only memory 0 is watched; the module has 1 other memory";
    says(&text(working(&second)), watched, "2 other");
    says(&text(working(WHOLE)), "  malloc ", "is watched");
}

#[test]
fn a_runtime_that_collects_garbage_is_not_judged_and_others_are() {
    let left = |name: &str| {
        let module = WHOLE
            .replace("(func (export \"free\")", &format!("(func $\"{name}\" (export \"free\")"));
        let mut recording = of(&module);
        recording.call(2, 1);
        recording.allocate(0x1000, 8, 0);
        text(recording)
    };
    let collects =
        "AssemblyScript's runtime collects garbage, so what nothing points to is not lost";
    says(&left("~lib/rt/itcms/__new"), collects, "definitely lost");
    says(&left("~lib/rt/stub/__new"), "8 bytes in 1 block definitely lost", collects);
}

fn read_size(recording: &mut Recording, pages: u64) {
    let (by, stack) = (SizeReadBy::HostView, HostStackId(0));
    recording.0.record(&Record::Host(HostRecord::SizeRead { memory: 0, by, pages, stack }));
}

#[test]
fn sizes_agree_only_where_all_do() {
    let read = |pages: u64| {
        let mut recording = working(WHOLE);
        read_size(&mut recording, 2);
        recording.allocate(0x1000, 8, 0);
        recording.free(0x1000);
        read_size(&mut recording, pages);
        // The answer is in lines.
        text(recording).replace('\n', " ")
    };
    let agree = "agree with the growths recorded, and no instruction makes a memory smaller";
    says(
        &read(2),
        &format!("All 2 sizes that the program read, by the buffer's length, {agree}"),
        "disagree",
    );
    says(&read(7), "witnesses-disagree", agree);
}

#[test]
fn sizes_show_a_leak_only_where_there_is_one() {
    let answer = |is_freed: bool| {
        let mut recording = working(WHOLE);
        read_size(&mut recording, 2);
        recording.allocate(0x1000, 8, 0);
        if is_freed {
            recording.free(0x1000);
        }
        read_size(&mut recording, 2);
        text(recording).replace('\n', " ")
    };
    says(&answer(false), "Here they show one: 8 bytes in 1 block lost", "Here they show one: ,");
    says(&answer(true), "agree with the growths recorded", "Here they show one");
}

#[test]
fn sizes_that_a_package_reads_for_itself_are_not_the_programs() {
    let answer = |reader: &str| {
        let mut recording = working(WHOLE);
        recording.host_stacks(&[reader]);
        for _ in 0..2 {
            let (memory, by, pages) = (0, SizeReadBy::HostView, 2);
            let stack = HostStackId(1);
            recording.0.record(&Record::Host(HostRecord::SizeRead { memory, by, pages, stack }));
            recording.allocate(0x1000, 8, 0);
            recording.free(0x1000);
        }
        text(recording).replace('\n', " ")
    };
    let said = "All 2 sizes that the program read";
    says(&answer("test.mjs:3 < node_modules/runner/run.js:1"), said, "All 0 sizes");
    says(&answer("views (node_modules/zbar/zbar.js:7) < test.mjs:3"), "no problems found", said);
}

#[test]
fn nothing_is_said_of_live_bytes_where_no_block_was_seen() {
    let of = |allocations: u64| {
        let mut recording = of(WHOLE);
        recording.call(2, 1);
        read_size(&mut recording, 2);
        for allocation in 0..allocations {
            recording.allocate(0x1000 + 16 * allocation, 10, 0);
            recording.free(0x1000 + 16 * allocation);
        }
        recording.grow(Some(2), false, 0);
        recording.grow(Some(3), false, 0);
        read_size(&mut recording, 4);
        text(recording).replace('\n', " ")
    };
    let live = "live bytes, and 0 are live at the";
    says(&of(1), live, "0 allocations");
    says(&of(0), "grew 2 times", live);
}

/// A report of repeated calls of `work`, each with the pages and live bytes after it.
fn repeated(calls: &[(u64, u64)], failure: Option<&str>) -> String {
    let after = |pages: u64, live_bytes: u64| {
        let pages = Witnesses { host_view: pages, grow_zero: pages, memory_size: pages };
        AfterCall { pages, live_bytes, ..AfterCall::default() }
    };
    let times = calls.len() as u64 + u64::from(failure.is_some());
    let mut builder = RepeatsBuilder::new("work", times, after(2, 0));
    calls.iter().for_each(|&(pages, live)| builder.add(after(pages, live)));
    let repeats = builder.finish(failure.map(str::to_owned));
    report(working(WHOLE)).with_repeats(repeats).to_string()
}

#[test]
fn repeated_calls_are_said_to_do_what_they_did() {
    let same = [(3, 8); 16];
    let warm: Vec<_> = (0..16).map(|call| (2 + u64::from(call >= 2), 8)).collect();
    let leak: Vec<_> = (0..16).map(|call| (2, 8 * (1 + call))).collect();
    let from_start = "steady: 16 calls of work, 2 pages and 0 bytes live from the start";
    says(&repeated(&[(2, 0); 16], None), from_start, "steady after");
    says(
        &repeated(&same, None),
        "steady after call 1: 16 calls of work, 3 pages and 8 bytes live",
        "from the start",
    );
    says(&repeated(&warm, None), "steady after call 3: 16 calls of work, 3 pages", "growing: ");
    says(&repeated(&leak, None), "growing: 16 calls of work, 2 pages and 128 bytes live", "steady");
    says(
        &repeated(&same[..1], None),
        "1 call of work left 3 pages and 8 bytes live\n",
        "too few to tell",
    );
    let too_few =
        "2 calls of work left 3 pages and 8 bytes live: too few to tell whether that comes to rest";
    says(&repeated(&same[..2], None), too_few, "steady");
    let failed = "call 3 failed: 2 calls of work left 3 pages and 8 bytes live";
    says(&repeated(&same[..2], Some("trap")), failed, "too few to tell");
    says(&repeated(&same, None), "8 bytes live", "failed: ");
}

#[test]
fn blocks_of_repeated_calls_are_seen_where_the_allocator_is() {
    let calls = |recording: Recording| {
        let mut builder = RepeatsBuilder::new("work", 16, AfterCall::default());
        (0..16).for_each(|_| builder.add(AfterCall::default()));
        report(recording).with_repeats(builder.finish(None)).to_string()
    };
    says(
        &calls(working(NO_ALLOCATOR)),
        "0 pages and blocks not seen from the start",
        "bytes live from",
    );
    says(&calls(working(WHOLE)), "0 pages and 0 bytes live from the start", "blocks not seen");
}
