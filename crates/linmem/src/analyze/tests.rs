//! Reports and profiles of recordings that are written by hand.

use super::recording::Recording;
use super::*;
use crate::record::{Hook, NoGuest, Recorder};
use crate::report::{Code, Held, Severity, Site};
use crate::trace::{
    Crossing, Event, HostRecord, HostStackId, LiveFrames, Record, Sharing, SizeReadBy,
};

fn held(blocks: u64, bytes: u64) -> Held {
    Held { blocks, bytes }
}

/// Two instances, two places that allocate, one of which is two contexts.
fn two_instances() -> Analysis {
    let mut recording = Recording::new(&["parse < main", "format < main", "parse < main", ""]);
    recording.instance(0);
    recording.allocate(0x1000, 100, 0);
    recording.allocate(0x2000, 50, 1);
    recording.free(0x2000);
    recording.allocate(0x3000, 300, 2);
    recording.free(0x1000);
    recording.allocate(0x4000, 7, 1);
    recording.instance(1);
    recording.allocate(0x1000, 20, 0);
    recording.allocate(0x2000, 30, 3);
    recording.free(0x1000);
    recording.finish()
}

#[test]
fn a_site_has_all_its_weights_at_defined_instants() {
    let profile = two_instances().profile().unwrap();
    let [parse, format] = [profile.sites[0], profile.sites[1]];
    let site = |stack, total, at_peak, at_end, temporary, lifetimes| Site {
        memory: 0,
        stack,
        total,
        at_peak,
        at_end,
        temporary,
        lifetimes,
    };
    // The peak is after the third allocation: 100 + 300 bytes. The first block lives through two more
    // allocations, and the one that is still alive through one.
    assert_eq!(parse, site(0, held(2, 400), held(2, 400), held(1, 300), 0, 2 + 1));
    assert_eq!(format, site(1, held(2, 57), held(0, 0), held(1, 7), 1, 0));
    assert_eq!((parse.mean_lifetime(), format.mean_lifetime()), (1, 0));
    assert_eq!(profile.sites_of(0).count(), 2, "contexts that look the same are one site");
}

#[test]
fn frames_and_stacks_are_interned() {
    let profile = two_instances().profile().unwrap();
    let functions: Vec<_> = profile.frames.iter().map(|frame| &*frame.function).collect();
    assert_eq!(functions, ["parse", "main", "format"]);
    assert_eq!(profile.stacks, [vec![0, 1], vec![2, 1], vec![]]);
    let stacks: Vec<_> = profile.sites_of(1).map(|site| site.stack).collect();
    assert_eq!(stacks, [0, 2], "memories share stacks");
    let frames: Vec<_> = profile.frames_of(&profile.sites[1]).map(|f| &*f.function).collect();
    assert_eq!(frames, ["format", "main"]);
}

#[test]
fn sums_over_the_sites_are_the_totals() {
    let profile = two_instances().profile().unwrap();
    for (number, memory) in profile.memories.iter().enumerate() {
        let sum = |weight: fn(&Site) -> Held| {
            profile.sites_of(number).fold(Held::default(), |mut sum, site| {
                sum += weight(site);
                sum
            })
        };
        let totals = memory.totals;
        let made = totals.allocations + totals.reallocations;
        assert_eq!(sum(|site| site.total), held(made, totals.allocated_bytes));
        let (peak, end) = (totals.at_peak, totals.at_end);
        assert_eq!(sum(|site| site.at_peak), held(peak.blocks, peak.bytes));
        assert_eq!(sum(|site| site.at_end), held(end.blocks, end.bytes));
        let temporary: u64 = profile.sites_of(number).map(|site| site.temporary).sum();
        assert_eq!(temporary, totals.temporary);
    }
}

#[test]
fn hot_sites_are_the_top_of_the_profile() {
    let analysis = two_instances();
    let (profile, report) = (analysis.profile().unwrap(), analysis.report().unwrap());
    let hot = &report.memories[0].hot_sites;
    let functions: Vec<_> = hot.bytes.iter().map(|site| &*site.stack[0].function).collect();
    assert_eq!(functions, ["parse", "format"]);
    assert_eq!(hot.at_peak.len(), 1, "a site without any is not listed");
    assert_eq!(hot.bytes[0].bytes, profile.sites[0].total.bytes);
    assert_eq!(hot.temporary.len(), 1);
    assert_eq!(hot.longest_lived[0].mean_lifetime, profile.sites[0].mean_lifetime());
}

/// Within a severity: instance by instance misuse, failures, leaks; then what the sizes mean.
#[test]
fn findings_are_in_order() {
    let mut recording = Recording::new(&["work"]);
    recording.host_stacks(&["work"]);
    let stack = HostStackId(0);
    for memory in 0..2 {
        recording.instance(memory);
        let by = SizeReadBy::HostView;
        let read = HostRecord::SizeRead { memory, by, pages: 2, stack };
        recording.0.record(&Record::Host(read.clone()));
        recording.allocate(0, 8, 0);
        recording.free(0x10);
        recording.allocate(0x1000, 8, 0);
        recording.0.record(&Record::Host(read));
        recording.0.record(&Record::Host(HostRecord::StaleView { memory, pages: 1, stack }));
        recording.snapshot(memory);
    }
    let report = recording.finish().report().unwrap();
    let found: Vec<_> = report.findings.iter().map(|f| (f.severity, f.code, f.instance)).collect();
    use Severity::{Error, Note};
    let expected = [
        (Error, Code::InvalidFree, 0),
        (Error, Code::LeakDefinite, 0),
        (Error, Code::InvalidFree, 1),
        (Error, Code::LeakDefinite, 1),
        (Error, Code::StaleView, 0),
        (Error, Code::StaleView, 1),
        (Note, Code::AllocationFailed, 0),
        (Note, Code::AllocationFailed, 1),
        (Note, Code::RoomToSpare, 0),
        (Note, Code::RoomToSpare, 1),
    ];
    assert_eq!(found, expected);
    assert_eq!(report.answers.len(), 1);
}

/// The stacks of a recording that allocate, each in one line, with the number of its blocks.
fn sites(recording: Recording) -> Vec<(String, u64)> {
    let profile = recording.finish().profile().unwrap();
    let line = |site| {
        let frames: Vec<&str> = profile.frames_of(site).map(|frame| &*frame.function).collect();
        frames.join(" < ")
    };
    profile.sites.iter().map(|site| (line(site), site.total.blocks)).collect()
}

fn site(line: &str, blocks: u64) -> (String, u64) {
    (line.to_owned(), blocks)
}

/// A recording whose contexts are `parse` and `format`, with two stacks of the host.
fn called_from_the_host() -> Recording {
    let mut recording = Recording::new(&["parse", "format"]);
    recording.host_stacks(&["app.mjs:4", "app.mjs:9"]);
    recording.instance(0);
    recording
}

#[test]
fn a_stack_goes_on_with_who_called() {
    let mut recording = called_from_the_host();
    recording.allocate(0x1000, 8, 0);
    recording.enter(0, Some(0));
    recording.allocate(0x2000, 8, 0);
    recording.enter(0, Some(1));
    recording.allocate(0x3000, 8, 0);
    let expected = [site("parse", 1), site("parse < app.mjs:4", 1), site("parse < app.mjs:9", 1)];
    assert_eq!(sites(recording), expected);
}

/// All lost blocks that were looked at came from one line, so the others are taken to come from there too.
#[test]
fn lost_blocks_whose_callers_were_not_looked_at_go_to_the_only_ones_that_were_seen_there() {
    let mut recording = called_from_the_host();
    for (number, caller) in [Some(0), None, Some(0), None].into_iter().enumerate() {
        recording.enter(0, caller);
        recording.allocate(0x2000 + 0x1000 * number as u64, 8, 0);
    }
    // Elsewhere in the module the same caller tells nothing.
    recording.enter(0, None);
    recording.allocate(0xa000, 8, 1);
    recording.snapshot(0);
    let report = recording.finish().report().unwrap();
    let lost: Vec<(u64, &str, Vec<&str>)> = report
        .leaks()
        .iter()
        .map(|finding| {
            let labelled = &finding.stacks[0];
            let frames = labelled.stack.iter().map(|frame| &*frame.function).collect();
            (finding.numbers["blocks"], &*labelled.label, frames)
        })
        .collect();
    let expected = [
        (4, "allocated (callers of 2 of 4 blocks looked at)", vec!["parse", "app.mjs:4"]),
        (1, "allocated", vec!["format", "(callers not looked at)"]),
    ];
    assert_eq!(lost, expected);
}

/// A local of another thread may point anywhere, but what the program got and never gave back is that.
#[test]
fn what_another_thread_may_point_to_is_not_judged() {
    let mut recording = called_from_the_host();
    recording.allocate(0x1000, 8, 0);
    recording.allocate(0x2000, 16, 1);
    for (pointer, crossing) in [(0x1000, Crossing::HandedOut), (0x2000, Crossing::Returned(0))] {
        recording.0.event(&Event::Crossed { pointer, crossing });
    }
    recording.0.record(&Record::Snapshot { memory: 0, pages: 2 });
    let live_frames = LiveFrames::OtherThreads;
    recording.0.record(&Record::Globals { live_frames, values: Vec::new() });
    let report = recording.finish().report().unwrap();
    let found: Vec<_> =
        report.findings.iter().map(|finding| (finding.code, finding.numbers["bytes"])).collect();
    assert_eq!(found, [(Code::LeakHostHeld, 16), (Code::NotJudged, 8)]);
}

/// Blocks that were freed were looked at, the lost ones not: these may have others.
#[test]
fn callers_of_freed_blocks_tell_nothing_of_lost_ones() {
    let mut recording = called_from_the_host();
    recording.enter(0, Some(0));
    recording.allocate(0x1000, 8, 0);
    recording.free(0x1000);
    recording.enter(0, None);
    recording.allocate(0x2000, 8, 0);
    recording.snapshot(0);
    let report = recording.finish().report().unwrap();
    let frames: Vec<_> =
        report.leaks()[0].stacks[0].stack.iter().map(|frame| &*frame.function).collect();
    assert_eq!(frames, ["parse", "(callers not looked at)"]);
}

/// A block is never given another one's line.
#[test]
fn blocks_whose_callers_were_not_looked_at_stand_alone_where_several_were_seen() {
    let mut recording = called_from_the_host();
    for (number, caller) in [Some(0), None, Some(1), None].into_iter().enumerate() {
        recording.enter(0, caller);
        recording.allocate(0x1000 * (1 + number as u64), 8, 0);
    }
    let expected = [
        site("parse < app.mjs:4", 1),
        site("parse < (callers not looked at)", 2),
        site("parse < app.mjs:9", 1),
    ];
    assert_eq!(sites(recording), expected);
}

/// Two stacks of the host that look the same to people are one caller.
#[test]
fn callers_that_look_the_same_are_one() {
    let mut recording = Recording::new(&["parse"]);
    recording.host_stacks(&["app.mjs:4", "app.mjs:4"]);
    recording.instance(0);
    for (number, caller) in [Some(0), Some(1), None].into_iter().enumerate() {
        recording.enter(0, caller);
        recording.allocate(0x1000 * (1 + number as u64), 8, 0);
    }
    let expected = [site("parse < app.mjs:4", 2), site("parse < (callers not looked at)", 1)];
    assert_eq!(sites(recording), expected);
}

/// Where the stack inside the module was not taken, the function that the host called stands for it.
#[test]
fn a_stack_that_was_not_taken_begins_with_its_entry() {
    let mut recording = Recording::new(&[""]);
    recording.host_stacks(&["app.mjs:4"]);
    recording.instance(0);
    recording.enter(0, Some(0));
    recording.allocate(0x1000, 8, 0);
    assert_eq!(sites(recording), [site("func[0] < app.mjs:4", 1)]);
}

/// What one instance allocates, another one may free, and a leak of both is one leak.
fn shared_memory() -> Recording {
    let mut recording = Recording::new(&["work"]);
    recording.instance(0);
    recording.allocate(0x1000, 100, 0);
    recording.allocate(0x2000, 50, 0);
    recording.instance_on(0);
    recording.free(0x1000);
    recording.allocate(0x3000, 7, 0);
    recording.0.record(&Record::Event(Event::Called { function: 0, times: 3 }));
    recording.snapshot(0);
    recording
}

#[test]
fn a_memory_that_two_instances_share_is_judged_once() {
    let report = shared_memory().finish().report().unwrap();
    let [leak] = &report.findings[..] else { panic!("{report}") };
    assert_eq!((leak.code, leak.instance), (Code::LeakDefinite, 0));
    assert_eq!((leak.numbers["blocks"], leak.numbers["bytes"]), (2, 57));
    let [memory] = &report.memories[..] else { panic!("{report}") };
    assert_eq!(memory.users, [0, 1]);
    assert_eq!(memory.totals, report.totals);
    assert_eq!((report.totals.allocations, report.totals.frees), (3, 1));
    assert_eq!(report.totals.at_end.pages, 2, "the memory's pages count once");
    let of_instances: Vec<_> =
        report.instances.iter().map(|instance| (instance.memory, instance.calls.len())).collect();
    assert_eq!(of_instances, [(0, 0), (0, 1)]);
    let text = report.to_string();
    assert!(text.contains("nothing points to them any more (instances 0 and 1)"), "{text}");
    assert!(!text.contains("\ninstance  pages"), "one memory needs no table: {text}");
}

/// What a thread does with a memory that is not known may have been done with any.
#[test]
fn a_shared_memory_is_not_judged_if_it_may_be_an_unknown_one() {
    let codes = |other: Sharing| {
        let mut recording = Recording::new(&["work"]);
        recording.memory_of(Sharing::Shared(0));
        recording.instance_on(0);
        recording.allocate(0x1000, 100, 0);
        recording.allocate(0x1000, 100, 0);
        recording.snapshot(0);
        recording.memory_of(other);
        recording.instance_on(1);
        recording.snapshot(1);
        let report = recording.finish().report().unwrap();
        report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(Sharing::Shared(1)), [Code::Overlap, Code::LeakDefinite]);
    assert_eq!(
        codes(Sharing::Unknown),
        [Code::EventsMissing, Code::EventsMissing, Code::NotJudged]
    );
}

#[test]
fn the_table_of_memories_names_all_instances() {
    let mut recording = shared_memory();
    recording.memory();
    recording.instance_on(1);
    recording.snapshot(1);
    let text = recording.finish().report().unwrap().to_string();
    assert!(text.contains("\n0 and 1   "), "{text}");
    assert!(text.contains("\n2         "), "{text}");
    assert!(text.contains("instances 0 and 1 of a.wasm, which share the memory"), "{text}");
}

/// Several recordings in one report: instances and memories go on counting.
#[test]
fn merged_reports_point_to_their_own_memories() {
    let reports = [shared_memory(), shared_memory()];
    let all = Report::merge(reports.map(|recording| recording.finish().report().unwrap())).unwrap();
    let users: Vec<_> = all.memories.iter().map(|memory| &memory.users[..]).collect();
    assert_eq!(users, [[0, 1], [2, 3]]);
    let memories: Vec<_> = all.instances.iter().map(|instance| instance.memory).collect();
    assert_eq!(memories, [0, 0, 1, 1]);
    let text = all.to_string();
    assert!(text.contains(" in 4 instances (0 to 3); in instances 0 and 1: "), "{text}");
    let mut distinct = all;
    distinct.findings.iter_mut().for_each(|finding| finding.stacks.clear());
    distinct.findings[0].message = "other words".to_owned();
    let text = distinct.to_string();
    assert!(text.contains("(instances 0 and 1)") && text.contains("(instances 2 and 3)"), "{text}");
}

/// A program may compile modules that it does not use, or not first. The headline names what ran.
#[test]
fn the_program_is_the_module_that_has_an_instance_first() {
    let program = |instances: &[u64]| {
        let empty = "(module (memory 2))";
        let modules = [("first.wasm", empty), ("second.wasm", empty), ("third.wasm", empty)];
        let mut recording = Recording::of(&modules, &[]);
        for (memory, &module) in instances.iter().enumerate() {
            recording.memory();
            recording.instance_of(module, memory as u64);
        }
        recording.finish().report().unwrap().program
    };
    assert_eq!(program(&[1, 0]), "second.wasm");
    assert_eq!(program(&[2, 2, 0]), "third.wasm");
    assert_eq!(program(&[]), "first.wasm", "none was used");
    assert_eq!(Recording::of(&[], &[]).finish().report().unwrap().program, "");
}

/// A library may bring a small module that unpacks the one in which something is wrong.
#[test]
fn the_program_is_the_module_in_which_the_worst_is_found_or_something_is_not_judged() {
    let program = |size: Option<u64>, is_freed_twice: bool| {
        let text = r#"(module (memory 2) (func (export "malloc") (param i32) (result i32) (i32.const 8))
            (func (export "free") (param i32)))"#;
        let mut recording = Recording::of(
            &[("small.wasm", "(module (memory 2))"), ("large.wasm", text)],
            &["work"],
        );
        for module in [0, 1] {
            recording.memory();
            recording.instance_of(module, module);
        }
        if let Some(size) = size {
            recording.allocate(0x1000, size, 0);
        }
        if is_freed_twice {
            recording.free(0x1000);
            recording.free(0x1000);
        }
        recording.finish().report().unwrap().program
    };
    assert_eq!([program(Some(8), true), program(None, false)], ["large.wasm", "small.wasm"]);
    assert_eq!(program(Some(8), false), "large.wasm", "there is no snapshot of its memory");
}

#[test]
fn a_trace_arrives_in_pieces_of_any_size() {
    let mut recording = Recording::new(&["work"]);
    recording.instance(0);
    recording.allocate(0x1000, 100, 0);
    let trace = recording.0.finish().unwrap();
    let mut analysis = Analysis::default();
    for byte in trace.chunks(1) {
        analysis.push(byte).unwrap();
    }
    let report = analysis.finish().report().unwrap();
    assert_eq!((report.totals.allocations, report.truncated), (1, true));
}

#[test]
fn a_trace_without_a_header_is_no_trace() {
    for bytes in [&b""[..], b"linm"] {
        let error = analyze_stream(bytes, &AnalysisOptions::default()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidTrace);
        assert!(error.to_string().contains("shorter than a trace's header"), "{error}");
    }
}

/// From the file to the report of a run.
#[test]
fn a_run_reads_its_module_once() {
    let wasm = wat::parse_str(
        r#"(module (memory 1) (func (export "malloc") (param i32) (result i32) i32.const 8))"#,
    );
    let wasm = wasm.unwrap();
    let prepared = crate::prepared::Prepared::new(&wasm, &Vec::new(), None).unwrap();
    prepared.instrument(&crate::instrument::Mode::default()).unwrap();
    prepared.inspect().unwrap();
    let buffer = crate::trace::Buffer::default();
    let mut recorder = Recorder::new(buffer.clone(), || 0);
    let module = recorder.module(&prepared, "a.wasm").unwrap();
    let memory = recorder.memory(1, None, 65_536);
    let instance = recorder.instance(module, memory);
    recorder.hook(instance, Hook::Entered, &[0; 8], &mut NoGuest);
    recorder.exited(0);
    recorder.finish().unwrap();
    let mut analysis = Analysis::default();
    analysis.push(&buffer.take()).unwrap();
    let analysis = analysis.finish();
    assert_eq!(analysis.report_on(&prepared).unwrap().instances.len(), 1);
    assert_eq!(analysis.profile_on(&prepared).unwrap().sites.len(), 0);
    assert_eq!(crate::module::steps::taken(), ["parse", "call graph"]);
}
