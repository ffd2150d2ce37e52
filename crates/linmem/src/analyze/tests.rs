//! Reports and profiles of recordings that are written by hand.

use super::*;
use crate::record::{Hook, NoGuest, Recorder};
use crate::report::{Code, Held, Severity, Site};
use crate::trace::{
    ContextId, Event, Frame, HostRecord, HostStackId, LiveFrames, Record, Sharing, SizeReadBy,
    UNKNOWN_SIZE, Writer,
};

/// A recording of instances of a module without code.
struct Recording(Writer<Vec<u8>>);

impl Recording {
    /// Contexts stand in frames of the host. Those with the same text look the same to people.
    fn new(contexts: &[&str]) -> Recording {
        let mut writer = Writer::new(Vec::new());
        writer.record(&Record::Module {
            name: "a.wasm".to_owned(),
            bytes: wat::parse_str("(module (memory 2))").unwrap(),
            allocator: r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#.to_owned(),
        });
        for text in contexts {
            let frames = text.split_terminator(" < ").map(|frame| Frame::Host(frame.to_owned()));
            writer.record(&Record::Context { frames: frames.collect() });
        }
        Recording(writer)
    }

    fn memory(&mut self) {
        let (initial_pages, max_pages, page_bytes) = (2, None, 65_536);
        let sharing = Sharing::Private;
        self.0.record(&Record::Memory { initial_pages, max_pages, page_bytes, sharing });
    }

    /// The next instance, with a memory of its own of the same number.
    fn instance(&mut self, number: u64) {
        self.memory();
        self.0.record(&Record::Instance { module: 0, memory: number });
    }

    fn allocate(&mut self, pointer: u64, size: u64, context: u32) {
        let context = ContextId(context);
        self.0.event(&Event::Allocated { pointer, size, align: 0, context });
    }

    fn free(&mut self, pointer: u64) {
        let (size, context) = (UNKNOWN_SIZE, ContextId(0));
        self.0.event(&Event::Freed { pointer, size, align: 0, context });
    }

    fn finish(mut self) -> Analysis {
        self.0.record(&Record::Exit { code: 0 });
        let mut analysis = Analysis::default();
        analysis.push(&self.0.finish().unwrap()).unwrap();
        analysis.finish()
    }
}

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
    let (stack, frames) = (HostStackId(0), vec![Frame::Host("work".to_owned())]);
    recording.0.record(&Record::HostStack { module: None, frames });
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
        recording.0.record(&Record::Snapshot { memory, pages: 2 });
        recording.0.record(&Record::Globals { live_frames: LiveFrames::None, values: Vec::new() });
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
