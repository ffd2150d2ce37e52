//! What is said of blocks in recordings that are written by hand.

use crate::analyze::AnalysisOptions;
use crate::analyze::recording::Recording;
use crate::report::{Code, Finding, Report, Severity};
use crate::trace::{Crossing, Event, HostRecord, HostStackId, LiveFrames, Record, SizeReadBy};

/// A recording of an instance that lines of the user's own and of a package enter.
fn recording() -> Recording {
    let mut recording = Recording::new(&["parse", "format", "print"]);
    recording.host_stacks(&["app.mjs:5", "app.mjs:9", "node_modules/lib/index.js:3"]);
    recording.instance(0);
    recording
}

/// The package's line in `host_stacks`.
const LIBRARY: Option<u32> = Some(2);

fn report(recording: Recording) -> Report {
    recording.finish().report().unwrap()
}

/// Code, severity, message, and the numbers `blocks` and `indirect_blocks`.
fn told(report: &Report) -> Vec<(Code, Severity, &str, [Option<u64>; 2])> {
    let number = |finding: &Finding, name: &str| finding.numbers.get(name).copied();
    let told = report.findings.iter().map(|finding| {
        let numbers = ["blocks", "indirect_blocks"].map(|name| number(finding, name));
        (finding.code, finding.severity, &*finding.message, numbers)
    });
    told.collect()
}

/// Allocates 16 bytes and calls `realloc(p, 0)`, which returns the same block.
fn empty(recording: &mut Recording, pointer: u64, context: u32) {
    recording.allocate(pointer, 16, context);
    recording.resize(pointer, 0, context);
}

/// Three blocks of two lines and two functions.
fn emptied() -> Recording {
    let mut recording = recording();
    for (number, (caller, context)) in [(0, 0), (1, 1), (0, 0)].into_iter().enumerate() {
        recording.enter(0, Some(caller));
        empty(&mut recording, 0x1000 * (1 + number as u64), context);
    }
    recording
}

#[test]
fn what_realloc_to_nothing_returned_is_one_finding() {
    let mut recording = emptied();
    recording.snapshot(0);
    let report = report(recording);
    let message = "3 blocks are the result of realloc(p, 0), which returned a block instead of freeing (allocated: \
                   2 at app.mjs:5, 1 at app.mjs:9): nothing points to them any more";
    assert_eq!(told(&report), [(Code::LeakDefinite, Severity::Error, message, [Some(3), Some(0)])]);
    let labels: Vec<&str> = report.findings[0].stacks.iter().map(|stack| &*stack.label).collect();
    assert_eq!(labels, ["allocated: 2 blocks", "allocated: 1 block"]);
    assert_eq!(report.memories[0].leaks.definite.blocks, 3);
}

#[test]
fn what_realloc_to_nothing_returned_and_was_freed_is_none() {
    let mut recording = emptied();
    [0x1000, 0x2000, 0x3000].into_iter().for_each(|pointer| recording.free(pointer));
    recording.snapshot(0);
    assert_eq!(told(&report(recording)), []);
}

/// `malloc(0)` may return a block, too, and it is a leak like others.
#[test]
fn lost_blocks_of_no_bytes_are_not_all_results_of_realloc() {
    let mut recording = recording();
    recording.allocate(0x1000, 0, 0);
    empty(&mut recording, 0x2000, 1);
    recording.snapshot(0);
    let report = report(recording);
    let messages: Vec<&str> = report.findings.iter().map(|finding| &*finding.message).collect();
    assert_eq!(
        messages,
        [
            "0 bytes in 1 block lost: nothing points to it any more",
            "1 block is the result of realloc(p, 0), which returned a block instead of freeing: nothing points to it \
             any more",
        ]
    );
}

#[test]
fn findings_of_other_blocks_say_how_many_are_results_of_realloc_to_nothing() {
    let said = |rest: &dyn Fn(&mut Recording)| {
        let mut recording = emptied();
        rest(&mut recording);
        report(recording).findings.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>()
    };
    let pointed_to = said(&|recording| {
        recording.allocate(0x5000, 16, 2);
        recording.snapshot_with(0, &[0x1000, 0x2000, 0x3000, 0x5000], &[]);
    });
    assert_eq!(
        pointed_to,
        [
            "16 bytes in 4 blocks still pointed to at the end; 3 of them are the result of realloc(p, 0), which \
          returned a block instead of freeing; the most, 16 bytes in 1 block, come from here"
        ]
    );
    let returned = said(&|recording| {
        for pointer in [0x1000, 0x2000, 0x3000] {
            recording.0.event(&Event::Crossed { pointer, crossing: Crossing::Returned(0) });
        }
        recording.snapshot(0);
    });
    let [message] = &returned[..] else { panic!("{returned:?}") };
    assert!(message.contains("never given back"), "{message}");
    assert!(message.contains("; all are the result of realloc(p, 0)"), "{message}");
    // A local of a call that never returned may point there.
    let trapped = said(&|recording| {
        recording.0.record(&Record::Snapshot { memory: 0, pages: 2 });
        let live_frames = LiveFrames::Own;
        recording.0.record(&Record::Globals { live_frames, values: Vec::new() });
    });
    let perhaps = trapped.iter().filter(|message| message.contains("perhaps lost"));
    assert_eq!(perhaps.filter(|message| message.contains("of realloc(p, 0)")).count(), 2);
}

/// A package allocates in `context`, and then the program's work follows.
fn library_then_work(recording: &mut Recording, blocks: &[(u64, u32)]) {
    recording.enter(0, LIBRARY);
    blocks.iter().for_each(|&(pointer, context)| recording.allocate(pointer, 16, context));
    recording.enter(0, Some(0));
    for _ in 0..20 {
        recording.allocate(0x9000, 8, 2);
        recording.free(0x9000);
    }
}

/// Nothing points to the block, so it is not *kept*. Whether the library loses one for each call is not known.
#[test]
fn what_a_library_lost_once_at_its_start_is_a_note_that_owns_what_hangs_on_it() {
    let mut recording = recording();
    library_then_work(&mut recording, &[(0x1000, 0), (0x2000, 1)]);
    recording.snapshot_with(0, &[], &[(0x1000, 0x2000)]);
    let report = report(recording);
    let message = "16 bytes in 1 block lost at a library's start or in a first call: nothing points to it any more, and 16 bytes in 1 \
                   block with it";
    let note = (Code::LeakDefinite, Severity::Note, message, [Some(1), Some(1)]);
    assert_eq!(told(&report), [note]);
    assert_eq!(report.memories[0].leaks.definite.blocks, 1);
}

/// Where a program reads sizes, the answer calls nothing a leak that may be none.
#[test]
fn sizes_do_not_show_a_leak_where_a_library_lost_a_block_once() {
    let mut recording = recording();
    let (memory, by, stack) = (0, SizeReadBy::HostView, HostStackId(0));
    let read = HostRecord::SizeRead { memory, by, pages: 2, stack };
    recording.0.record(&Record::Host(read.clone()));
    library_then_work(&mut recording, &[(0x1000, 0)]);
    recording.0.record(&Record::Host(read));
    recording.snapshot(0);
    let report = report(recording);
    assert_eq!(report.findings[0].code, Code::LeakDefinite);
    let answer = report.answers.concat();
    assert!(answer.contains("All 2 sizes") && !answer.contains("Here they show one"), "{answer}");
}

/// What hangs on which lost block is not told, so all of it is told where one of these is an error.
#[test]
fn what_hangs_on_lost_blocks_is_told_beside_an_error() {
    let mut recording = recording();
    library_then_work(&mut recording, &[(0x1000, 0), (0x2000, 1)]);
    recording.allocate(0x3000, 16, 2);
    recording.snapshot_with(0, &[], &[(0x1000, 0x2000)]);
    let codes: Vec<_> =
        told(&report(recording)).iter().map(|(code, severity, ..)| (*code, *severity)).collect();
    assert_eq!(
        codes,
        [
            (Code::LeakDefinite, Severity::Error),
            (Code::LeakDefinite, Severity::Note),
            (Code::LeakIndirect, Severity::Note)
        ]
    );
}

#[test]
fn several_places_where_a_library_lost_one_block_are_one_note() {
    let mut recording = recording();
    library_then_work(&mut recording, &[(0x1000, 0), (0x2000, 1)]);
    recording.snapshot(0);
    let message = "32 bytes in 2 blocks lost at a library's start or in a first call: nothing points to them any more; the most, 16 \
                   bytes in 1 block, come from here";
    let note = (Code::LeakDefinite, Severity::Note, message, [Some(2), Some(0)]);
    assert_eq!(told(&report(recording)), [note]);
}

/// However late that call comes, and whatever the others allocate, it is one call, and those after it lost nothing.
#[test]
fn what_a_library_lost_in_its_first_call_only_is_a_note() {
    let lost = |losing: u64| {
        let mut recording = recording();
        recording.enter(0, Some(0));
        (0..20).for_each(|_| {
            recording.allocate(0x9000, 8, 2);
            recording.free(0x9000);
        });
        for call in 0..4 {
            recording.call(1, 1);
            recording.enter(1, LIBRARY);
            if call == losing {
                recording.allocate(0x1000, 16, 0);
                recording.allocate(0x2000, 16, 1);
            }
            recording.allocate(0x9000, 8, 2);
            recording.free(0x9000);
        }
        recording.snapshot(0);
        let report = report(recording);
        told(&report).into_iter().map(|(code, severity, ..)| (code, severity)).collect::<Vec<_>>()
    };
    assert_eq!(lost(0), [(Code::LeakDefinite, Severity::Note)]);
    assert_eq!(lost(1), [(Code::LeakDefinite, Severity::Error); 2]);
}

/// It is one for each use, or it came late: the library loses more with more work.
#[test]
fn what_a_library_loses_again_or_later_is_an_error() {
    let again = |recording: &mut Recording| {
        library_then_work(recording, &[(0x1000, 0)]);
        recording.enter(0, LIBRARY);
        recording.allocate(0x2000, 16, 0);
    };
    let later = |recording: &mut Recording| {
        library_then_work(recording, &[]);
        recording.enter(0, LIBRARY);
        recording.allocate(0x1000, 16, 0);
    };
    let of_the_user = |recording: &mut Recording| {
        recording.enter(0, Some(0));
        recording.allocate(0x1000, 16, 0);
        library_then_work(recording, &[]);
    };
    for lose in [&again as &dyn Fn(&mut Recording), &later, &of_the_user] {
        let mut recording = recording();
        lose(&mut recording);
        recording.snapshot(0);
        let report = report(recording);
        let [(Code::LeakDefinite, Severity::Error, ..)] = told(&report)[..] else {
            panic!("{report}")
        };
    }
}

/// The host has the block's address, so it may be kept.
#[test]
fn what_a_library_holds_from_its_start_is_kept_once() {
    let mut recording = recording();
    library_then_work(&mut recording, &[(0x1000, 0)]);
    recording.0.event(&Event::Crossed { pointer: 0x1000, crossing: Crossing::HandedOut });
    recording.snapshot(0);
    let message = "16 bytes in 1 block kept once: a library allocated them at its start or at its first use, and no \
                   more since";
    assert_eq!(
        told(&report(recording)),
        [(Code::KeptOnce, Severity::Note, message, [Some(1), None])]
    );
}

/// Pointers into the middle may be meant: what counts is whether calls leave more and more such blocks.
#[test]
fn what_only_pointers_into_the_middle_are_left_of_has_to_become_more() {
    let severities = |left_in: std::ops::Range<u64>, calls: u64, caller: Option<u32>| {
        let mut recording = Recording::new(&["parse", "other"]);
        recording.host_stacks(&["app.mjs:5"]);
        recording.instance(0);
        let blocks: Vec<u64> = (0..20).map(|number| 0x1000 + 64 * number).collect();
        for (number, pointer) in blocks.iter().enumerate() {
            recording.enter(0, caller);
            recording.allocate(*pointer, 40, 0);
            if !left_in.contains(&(number as u64)) {
                recording.free(*pointer);
            }
        }
        recording.call(0, calls);
        let middles = left_in.map(|number| blocks[number as usize] + 4 * (1 + number % 7));
        recording.snapshot_with(0, &middles.collect::<Vec<_>>(), &[]);
        let report = report(recording);
        let told = told(&report).into_iter();
        told.map(|(code, severity, _, [blocks, _])| (code, severity, blocks)).collect::<Vec<_>>()
    };
    let told = |severity, blocks| vec![(Code::LeakPossible, severity, Some(blocks))];
    assert_eq!(severities(0..20, 20, Some(0)), told(Severity::Warning, 20));
    assert_eq!(severities(0..20, 1, Some(0)), told(Severity::Note, 20), "all in one call");
    assert_eq!(severities(0..10, 20, Some(0)), told(Severity::Note, 10), "none in the later calls");
    assert_eq!(severities(3..4, 20, Some(0)), told(Severity::Note, 1));
    assert_eq!(severities(3..4, 20, None), told(Severity::Warning, 1), "nobody tells of calls");
}

/// A program that keeps many blocks by pointers into their middle may keep others by words that do not look like pointers.
#[test]
fn what_seems_lost_where_pointers_are_unusual_is_doubtful() {
    let told_of = |middles: u64, lost: u64| {
        let mut recording = Recording::new(&["parse", "format"]);
        recording.host_stacks(&["app.mjs:5"]);
        recording.instance(0);
        recording.enter(0, Some(0));
        for number in 0..middles + lost {
            recording.allocate(0x1000 + 64 * number, 40, u32::from(number >= middles));
        }
        let at: Vec<u64> = (0..middles).map(|n| 0x1000 + 64 * n + 4 * (1 + n % 9)).collect();
        // Few enough at each offset, so that none is a layout.
        let at: Vec<u64> = at.into_iter().map(|middle| middle + middle / 576 % 4).collect();
        recording.snapshot_with(0, &at, &[]);
        let report = report(recording);
        let told = told(&report).into_iter().map(|(code, severity, ..)| (code, severity));
        told.collect::<Vec<_>>()
    };
    let at_rest = (Code::LeakPossible, Severity::Note);
    let is_lost = (Code::LeakDefinite, Severity::Error);
    assert_eq!(told_of(70, 3), [at_rest, at_rest]);
    assert_eq!(told_of(70, 20), [is_lost, at_rest], "a leak that goes on");
    assert_eq!(told_of(7, 3), [is_lost, at_rest]);
}

/// The first call goes through a function of a package that is not there later.
#[test]
fn what_one_line_leaves_again_and_again_is_not_kept_once() {
    let told_of = |first: &str| {
        let mut recording = Recording::new(&["parse", "other"]);
        recording.host_stacks(&["app.mjs:5", first]);
        recording.instance(0);
        for number in 0..10 {
            recording.enter(0, Some(u32::from(number == 0)));
            let pointer = 0x1000 + 32 * number;
            recording.allocate(pointer, 16, 0);
            recording.0.event(&Event::Crossed { pointer, crossing: Crossing::HandedOut });
        }
        recording.snapshot(0);
        let report = report(recording);
        let told = told(&report).into_iter().map(|(code, _, _, [blocks, _])| (code, blocks));
        told.collect::<Vec<_>>()
    };
    let stub = "stub (node_modules/lib/index.js:3) < app.mjs:5";
    assert_eq!(told_of(stub), [(Code::LeakHostHeld, Some(10))]);
    let other = "stub (node_modules/lib/index.js:3) < app.mjs:9";
    assert_eq!(told_of(other), [(Code::LeakHostHeld, Some(9)), (Code::KeptOnce, Some(1))]);
}

/// What constructors of static objects leave to the host is so in any module: embind's registrations.
#[test]
fn what_constructors_leave_to_the_host_is_kept_once() {
    const MODULE: &str = r#"(module (memory 2)
        (func (export "malloc") (param i32) (result i32) unreachable)
        (func (export "free") (param i32))
        (func (export "constructors")) (func (export "work") (param i32)))"#;
    let [constructors, work] = [2, 3];
    let codes = |calls: &[(u32, u64)], entered: u32| {
        let mut recording = Recording::of(&[("guest", MODULE)], &["parse"]);
        recording.host_stacks(&["app.mjs:5"]);
        recording.instance(0);
        recording.enter(entered, Some(0));
        for pointer in [0x1000, 0x2000] {
            recording.allocate(pointer, 16, 0);
            recording.0.event(&Event::Crossed { pointer, crossing: Crossing::HandedOut });
        }
        calls.iter().for_each(|&(function, times)| recording.call(function, times));
        recording.snapshot(0);
        told(&report(recording)).into_iter().map(|(code, ..)| code).collect::<Vec<_>>()
    };
    let is_told = [Code::LeakHostHeld];
    assert_eq!(codes(&[(constructors, 1), (work, 20)], constructors), [Code::KeptOnce]);
    assert_eq!(codes(&[(constructors, 2), (work, 20)], constructors), is_told);
    assert_eq!(codes(&[(work, 20), (constructors, 1)], constructors), is_told);
    assert_eq!(codes(&[(constructors, 1)], constructors), is_told, "all that the program does");
    assert_eq!(codes(&[(constructors, 1), (work, 20)], work), is_told);
}

#[test]
fn a_block_that_a_library_of_the_host_keeps_is_no_leak() {
    let after = |free: bool| {
        let mut recording = recording();
        recording.allocate(0x1000, 16, 0);
        recording.0.record(&Record::Host(HostRecord::Kept { memory: 0, address: 0x1000 }));
        if free {
            recording.free(0x1000);
            recording.allocate(0x1000, 16, 0);
        }
        recording.snapshot(0);
        told(&report(recording)).into_iter().map(|(code, ..)| code).collect::<Vec<_>>()
    };
    assert_eq!(after(false), []);
    // Another block with the same address is another one.
    assert_eq!(after(true), [Code::LeakDefinite]);
}

/// A block of 20 bytes for which dlmalloc gave `bytes`, with a second block's address at an offset in it. A global points
/// to the first one, and the module passes the address of the second to an import, if it `crosses`.
fn two_blocks_of_dlmalloc(bytes: u32, offset: Option<u64>, crosses: bool) -> Report {
    const FIRST: u32 = 0x1000;
    const SECOND: u32 = 0x2000;
    let text = r#"(module (memory 2)
        (func (export "malloc") (param i32) (result i32) unreachable)
        (func (export "free") (param i32)))"#;
    let mut recording = Recording::of_known_code(text, "dlmalloc", &["parse"]);
    recording.instance(0);
    recording.allocate(FIRST.into(), 20, 0);
    recording.allocate(SECOND.into(), 16, 0);
    if crosses {
        let crossing = Crossing::HandedOut;
        recording.0.event(&Event::Crossed { pointer: SECOND.into(), crossing });
    }
    let header = (u64::from(FIRST) - 4, (bytes + 4) | 3);
    let pointer = offset.map(|offset| (u64::from(FIRST) + offset, SECOND));
    let words: Vec<(u64, u32)> = [header].into_iter().chain(pointer).collect();
    recording.snapshot_with(0, &[FIRST.into()], &words);
    report(recording)
}

#[test]
fn words_behind_what_was_asked_for_say_less_than_a_crossing() {
    let told_of = |bytes, offset, crosses| {
        let report = two_blocks_of_dlmalloc(bytes, offset, crosses);
        let told = told(&report);
        told.into_iter().map(|(code, _, message, _)| (code, message.to_owned())).collect::<Vec<_>>()
    };
    let codes = |bytes, offset, crosses| {
        told_of(bytes, offset, crosses).into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    let held = "16 bytes in 1 block never given back: nothing in the module points there, but it passed such pointers \
                to imported functions";
    let one = "20 bytes in 1 block still pointed to at the end";
    let first = (Code::StillReachable, one.to_owned());
    let held_with = |more: &str| (Code::LeakHostHeld, format!("{held}{more}"));
    assert_eq!(told_of(28, None, true), [held_with(""), first.clone()]);
    let left_over = "; only words that are perhaps left over lead to it, on the stack or behind what a block was asked \
                     for";
    assert_eq!(told_of(28, Some(24), true), [held_with(left_over), first]);
    // In the bytes that were asked for, in a block that was resized, and where nothing says that the host holds it.
    assert_eq!(codes(28, Some(16), true), [Code::StillReachable]);
    assert_eq!(codes(60, Some(24), true), [Code::StillReachable]);
    assert_eq!(codes(28, Some(24), false), [Code::StillReachable]);
    assert_eq!(codes(28, None, false), [Code::LeakDefinite, Code::StillReachable]);
}

/// While no code runs, what is on the stack is where the host made room, for a result that it has perhaps forgotten.
#[test]
fn words_on_the_stack_say_less_than_a_crossing() {
    const TOP: u32 = 0x8000;
    const BLOCK: u32 = 0x9000;
    let codes = |pointer_at: u32, crosses: bool, live_frames: LiveFrames| {
        let text = r#"(module (memory 2)
            (global $__stack_pointer (mut i32) (i32.const 0x8000))
            (func (export "__stack_pointer") (result i32) global.get $__stack_pointer)
            (data (i32.const 1024) "data"))"#;
        let mut recording = Recording::of(&[("a.wasm", text)], &["parse"]);
        recording.instance(0);
        recording.allocate(BLOCK.into(), 16, 0);
        if crosses {
            let crossing = Crossing::HandedOut;
            recording.0.event(&Event::Crossed { pointer: BLOCK.into(), crossing });
        }
        recording.0.record(&Record::Snapshot { memory: 0, pages: 2 });
        let (address, bytes) = (u64::from(pointer_at), BLOCK.to_le_bytes().to_vec());
        recording.0.record(&Record::SnapshotBytes { address, bytes });
        let values = vec![(0, u64::from(TOP) - 16)];
        recording.0.record(&Record::Globals { live_frames, values });
        told(&report(recording)).into_iter().map(|(code, ..)| code).collect::<Vec<_>>()
    };
    let (on_stack, below, in_data) = (TOP - 8, TOP - 32, 1024);
    assert_eq!(codes(on_stack, true, LiveFrames::None), [Code::LeakHostHeld]);
    assert_eq!(codes(on_stack, false, LiveFrames::None), [Code::StillReachable]);
    assert_eq!(codes(in_data, true, LiveFrames::None), [Code::StillReachable]);
    assert_eq!(codes(below, false, LiveFrames::None), [Code::LeakDefinite]);
    // A local of a call that never returned points there.
    assert_eq!(codes(on_stack, true, LiveFrames::Own), [Code::NotJudged]);
    assert_eq!(codes(below, true, LiveFrames::Own), [Code::NotJudged, Code::PerhapsLost]);
}

/// Each thread has a copy of the variables of each module that is linked at run time, and no one frees it.
#[test]
fn what_starts_a_thread_allocates_for_the_whole_run() {
    let judged = |caller: &str| {
        let mut recording = Recording::new(&["memalign"]);
        recording.host_stacks(&[caller]);
        recording.instance(0);
        recording.enter(0, Some(0));
        recording.allocate(0x1000, 5, 0);
        recording.snapshot(0);
        let report = report(recording);
        (report.memories[0].leaks.runtime.blocks, told(&report).len())
    };
    assert_eq!(judged("_emscripten_tls_init (side.wasm)"), (1, 0));
    assert_eq!(judged("emscripten_tls (side.wasm)"), (0, 1));
}

/// Each place once, also where as much comes from several.
#[test]
fn places_that_weigh_the_same_are_all_shown() {
    let mut recording = recording();
    for (number, caller) in [0, 1, 0, 1].into_iter().enumerate() {
        recording.enter(0, Some(caller));
        let pointer = 0x1000 * (1 + number as u64);
        recording.allocate(pointer, 16, 0);
        recording.0.event(&Event::Crossed { pointer, crossing: Crossing::Returned(0) });
    }
    recording.snapshot(0);
    let report = report(recording);
    let finding =
        report.findings.iter().find(|finding| finding.code == Code::LeakHostHeld).unwrap();
    let lines: Vec<_> =
        finding.stacks.iter().map(|stack| stack.stack.last().unwrap().function.clone()).collect();
    assert_eq!(lines, ["app.mjs:5", "app.mjs:9"]);
}

/// Calls from one line, of which so many keep so many blocks each, at which others point.
fn calls_that_keep(calls: u64, kept: impl Fn(u64) -> u64) -> Vec<(Code, String)> {
    calls_from_that_keep(0, calls, kept)
}

/// The same, from this stack of the host.
fn calls_from_that_keep(stack: u32, calls: u64, kept: impl Fn(u64) -> u64) -> Vec<(Code, String)> {
    let mut recording = recording();
    let mut words = Vec::new();
    for call in 1..=calls {
        recording.call(1, 1);
        recording.called_from(1, stack, 1);
        recording.enter(1, Some(stack));
        recording.allocate(0x800, 4, 1);
        recording.free(0x800);
        for block in 0..kept(call) {
            let pointer = 0x1000 + 0x400 * call + 16 * block;
            recording.allocate(pointer, 10, 0);
            words.push((0x400 + 4 * words.len() as u64, pointer as u32));
        }
    }
    recording.snapshot_with(0, &[], &words);
    let report = report(recording);
    report.findings.into_iter().map(|finding| (finding.code, finding.message)).collect()
}

#[test]
fn calls_go_on_to_keep_blocks_only_where_each_part_of_them_does() {
    let keep = |calls, kept: &dyn Fn(u64) -> u64| {
        let findings = calls_that_keep(calls, kept);
        assert!(findings.iter().any(|(code, _)| *code == Code::StillReachable), "{findings:?}");
        let first = findings.into_iter().next().unwrap();
        (first.0 == Code::KeptByCalls).then_some(first.1)
    };
    let message = "calls of `func[1]` at app.mjs:5 keep more and more: 200 bytes in 20 blocks that they allocated are \
                   still pointed to at the end";
    assert_eq!(keep(20, &|_| 1).as_deref(), Some(message));
    assert!(keep(20, &|call| call % 2).is_some(), "every second one");
    assert!(keep(20, &|call| if call == 1 { 20 } else { 0 }).is_none(), "the first one alone");
    assert!(
        keep(20, &|call| if call <= 5 { 4 } else { u64::from(call == 20) }).is_none(),
        "the first five"
    );
    assert!(keep(200, &|call| u64::from((100..110).contains(&call))).is_none(), "a few in between");
    assert!(keep(40, &|call| u64::from(call <= 20)).is_none(), "a cache that is full");
    assert!(keep(7, &|_| 3).is_none(), "few calls");
}

/// Promises leave no line of the user's own on the stack.
#[test]
fn calls_that_go_on_to_keep_blocks_are_told_without_a_line_too() {
    let told = calls_from_that_keep(2, 40, |_| 1);
    let kept = told.iter().find(|(code, _)| *code == Code::KeptByCalls).expect("a note");
    assert!(
        kept.1.starts_with("calls of `func[1]` keep more and more: 400 bytes in 40 blocks"),
        "{kept:?}"
    );
    let told = calls_from_that_keep(2, 40, |call| u64::from(call < 9));
    assert!(told.iter().all(|(code, _)| *code != Code::KeptByCalls), "{told:?}");
}

/// The first call sets up a lot that is there once.
#[test]
fn what_the_first_call_left_does_not_hide_that_calls_go_on_to_keep_blocks() {
    let each = |call: u64| if call == 1 { 60 } else { 1 };
    let told = calls_that_keep(40, each);
    assert!(told.iter().any(|(code, _)| *code == Code::KeptByCalls), "{told:?}");
    let only_first = |call: u64| if call == 1 { 60 } else { 0 };
    let told = calls_that_keep(40, only_first);
    assert!(told.iter().all(|(code, _)| *code != Code::KeptByCalls), "{told:?}");
}

/// The host got five blocks, and gave back one.
#[test]
fn what_the_module_still_points_to_is_told_of_what_the_host_got() {
    let mut recording = recording();
    for pointer in (1..=5).map(|number| 0x1000 * number) {
        recording.enter(0, Some(0));
        recording.allocate(pointer, 16, 0);
        recording.0.event(&Event::Crossed { pointer, crossing: Crossing::Returned(0) });
    }
    recording.free(0x1000);
    recording.snapshot_with(0, &[0x2000], &[]);
    let report = report(recording);
    let held = report.findings.iter().find(|finding| finding.code == Code::LeakHostHeld).unwrap();
    let expected = "48 bytes in 3 blocks never given back: the host got 5 blocks from `func[0]` and freed 1; to 1 more \
                    the module still points (allocated at app.mjs:5)";
    assert_eq!(held.message, expected);
}

/// Objects with much that is their own come before texts, and what both an engine and its threads lead to counts for none.
#[test]
fn what_hangs_on_blocks_counts_for_their_order_where_nothing_else_leads_there() {
    let order = |words: &[(u64, u32)]| {
        let mut recording = recording();
        recording.enter(0, Some(0));
        for (pointer, size, by) in [(0x1000, 16, 0), (0x2000, 32, 1)] {
            recording.allocate(pointer, size, by);
            let crossing = Crossing::Returned(by);
            recording.0.event(&Event::Crossed { pointer, crossing });
        }
        recording.allocate(0x3000, 500, 2);
        recording.snapshot_with(0, &[], words);
        let report = report(recording);
        report.findings.iter().map(|finding| finding.numbers["bytes"]).collect::<Vec<_>>()
    };
    assert_eq!(order(&[(0x1000, 0x3000)]), [16, 32]);
    assert_eq!(order(&[(0x2000, 0x3000)]), [32, 16]);
    assert_eq!(order(&[(0x1000, 0x3000), (0x2000, 0x3000)]), [32, 16]);
}

/// One block from each of several calls hangs on what a library keeps once.
#[test]
fn what_hangs_on_what_is_kept_once_is_told_with_it() {
    let mut recording = recording();
    library_then_work(&mut recording, &[(0x1000, 0), (0x2000, 1)]);
    recording.0.event(&Event::Crossed { pointer: 0x1000, crossing: Crossing::HandedOut });
    recording.snapshot_with(0, &[], &[(0x1000, 0x2000)]);
    let report = report(recording);
    let [(Code::KeptOnce, _, message, [Some(1), Some(1)])] = told(&report)[..] else {
        panic!("{report}")
    };
    assert!(message.ends_with("; 16 bytes in 1 block more hang on these"), "{message}");
}

/// A library's text of five bytes was put where a pointer had been, behind which nothing was asked for.
#[test]
fn what_a_text_was_put_over_leads_nowhere_where_better_is_known() {
    let report = |is_pointed_into: bool| {
        let text = r#"(module (memory 2)
            (func (export "malloc") (param i32) (result i32) unreachable)
            (func (export "free") (param i32)))"#;
        let mut recording = Recording::of_known_code(text, "dlmalloc", &["parse"]);
        recording.instance(0);
        recording.allocate(0x1000, 5, 0);
        recording.0.event(&Event::Crossed { pointer: 0x1000, crossing: Crossing::HandedOut });
        recording.allocate(0x2000, 160, 0);
        let headers = [(0xffc, 0x10 | 3), (0x1ffc, (160 + 8) | 3)];
        let words = [headers[0], (0x1008, 0x2000), headers[1]];
        let into = is_pointed_into.then_some(0x2010);
        recording.snapshot_with(0, &into.into_iter().collect::<Vec<_>>(), &words);
        let report = report(recording);
        told(&report)
            .into_iter()
            .map(|(code, _, message, _)| (code, message.to_owned()))
            .collect::<Vec<_>>()
    };
    let codes = |told: &[(Code, String)]| told.iter().map(|(code, _)| *code).collect::<Vec<_>>();
    let told_of = report(false);
    assert_eq!(codes(&told_of), [Code::LeakHostHeld]);
    assert!(
        told_of[0].1.contains("more hang on these"),
        "the only trace of who has it: {told_of:?}"
    );
    let told_of = report(true);
    assert!(codes(&told_of).contains(&Code::LeakPossible), "{told_of:?}");
    assert!(!told_of[0].1.contains("more hang on these"), "{told_of:?}");
}

/// The finalizer of the first one has freed it.
#[test]
fn objects_whose_finalizers_ran_do_not_count_once_garbage_was_collected() {
    let left = |collected: bool, freed: u64| {
        let mut recording = recording();
        for number in 0..2 {
            let (address, stack) = (0x1000 * (1 + number), HostStackId(0));
            recording.allocate(address, 16, 0);
            let registered = HostRecord::Registered { memory: 0, address, stack };
            recording.0.record(&Record::Host(registered));
        }
        (0..freed).for_each(|number| recording.free(0x1000 * (1 + number)));
        recording.snapshot(0);
        let options = AnalysisOptions::default().collected(collected);
        let report = recording.finish_with(options).report().unwrap();
        let left = report.findings.iter().find(|f| f.code == Code::WaitsForFinalizer);
        left.map(|finding| finding.numbers["objects"])
    };
    assert_eq!([0, 1, 2].map(|freed| left(false, freed)), [Some(2); 3]);
    assert_eq!([0, 1, 2].map(|freed| left(true, freed)), [Some(2), Some(1), None]);
}
