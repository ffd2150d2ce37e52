//! What sizes that a host read mean: one short recording for each cause, as a recorder in a
//! JavaScript program writes them.

use linmem::analyze;
use linmem::report::{Code, Finding, Report, Severity};
use linmem::trace::{
    Alive, ContextId, Event, Frame, HostRecord, HostStackId, Record, Refused, Sharing, SizeReadBy,
    Trace, UNKNOWN_SIZE, Writer,
};
use linmem::{AnalysisOptions, analyze_stream};

/// A program that runs in a host, as it is recorded.
struct Program {
    writer: Writer<Vec<u8>>,
    memories: u64,
    instances: u64,
}

const READ: HostStackId = HostStackId(0);
const CREATED: HostStackId = HostStackId(1);
const GROWN: HostStackId = HostStackId(2);

const WORK: ContextId = ContextId(0);

impl Program {
    fn new() -> Program {
        let mut writer = Writer::new(Vec::new());
        writer.record(&Record::Module {
            name: "strings.wasm".to_owned(),
            bytes: wat::parse_str("(module (memory 2))").unwrap(),
            allocator: r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#.to_owned(),
        });
        let frames = |place: &str| vec![Frame::Host(place.to_owned())];
        for place in ["measure (test.js:10)", "setUp (test.js:3)", "grow (test.js:20)"] {
            writer.record(&Record::HostStack { module: None, frames: frames(place) });
        }
        writer.record(&Record::Context { frames: frames("work (test.js:20)") });
        Program { writer, memories: 0, instances: 0 }
    }

    /// A memory of two pages.
    fn memory(&mut self) -> u64 {
        let (initial_pages, max_pages, page_bytes) = (2, None, 65_536);
        let sharing = Sharing::Private;
        self.writer.record(&Record::Memory { initial_pages, max_pages, page_bytes, sharing });
        self.memories += 1;
        self.memories - 1
    }

    /// An instance with a memory of its own, which has the same number.
    fn instance(&mut self) -> u64 {
        let memory = self.memory();
        assert_eq!(memory, self.instances);
        self.instance_on(memory)
    }

    fn instance_on(&mut self, memory: u64) -> u64 {
        self.writer.record(&Record::Instance { module: 0, memory });
        self.host(HostRecord::Created { stack: CREATED });
        self.instances += 1;
        self.instances - 1
    }

    fn host(&mut self, record: HostRecord) {
        self.writer.record(&Record::Host(record));
    }

    fn read(&mut self, memory: u64, pages: u64) {
        let by = SizeReadBy::HostView;
        self.host(HostRecord::SizeRead { memory, by, pages, stack: READ });
    }

    fn event(&mut self, instance: u64, event: Event) {
        self.writer.record(&Record::Select { instance });
        self.writer.record(&Record::Event(event));
    }

    fn grow(&mut self, instance: u64, previous: u64, delta_pages: u64) {
        let previous_pages = Some(previous);
        let grown = Event::Grown { delta_pages, previous_pages, in_allocator: true, context: WORK };
        self.event(instance, grown);
    }

    /// Allocates and frees.
    fn round_trip(&mut self, instance: u64, size: u64) {
        let pointer = 4096;
        self.event(instance, Event::Allocated { pointer, size, align: 0, context: WORK });
        let size = UNKNOWN_SIZE;
        self.event(instance, Event::Freed { pointer, size, align: 0, context: WORK });
    }

    /// The engine refuses an instance of the module, while so many are alive.
    fn refused(&mut self, what: Refused, alive: u64, text: &str) {
        let alive = Alive { instances: alive, memories: alive, pages: 2 * alive };
        let (module, text) = (Some(0), text.to_owned());
        self.host(HostRecord::Refused { what, module, text, alive, stack: CREATED });
    }

    fn trace(mut self) -> Trace {
        self.writer.record(&Record::Exit { code: 0 });
        Trace::from_bytes(self.writer.finish().unwrap())
    }

    fn report(self) -> Report {
        analyze(&self.trace()).unwrap()
    }
}

fn finding(report: &Report, code: Code) -> &Finding {
    let mut findings = report.findings.iter().filter(|finding| finding.code == code);
    let finding = findings.next().unwrap_or_else(|| panic!("no {}:\n{report}", code.name()));
    assert!(findings.next().is_none(), "{report}");
    finding
}

/// Of very many readings the last one counts, as the first one does.
#[test]
fn readings_in_a_loop() {
    let mut program = Program::new();
    let instance = program.instance();
    for _ in 0..30_000 {
        program.read(instance, 2);
    }
    program.round_trip(instance, 100);
    program.read(instance, 2);
    let room = program.report();
    assert_eq!(finding(&room, Code::RoomToSpare).numbers["allocations"], 1);
}

/// Addresses from 2 GiB on are negative numbers for JavaScript.
#[test]
fn a_memory_grows_beyond_two_gib() {
    let grown = |previous, delta| {
        let mut program = Program::new();
        let instance = program.instance();
        program.grow(instance, 2, 2);
        program.grow(instance, previous, delta);
        program.grow(instance, previous + delta, 1);
        program.report()
    };
    let beyond = grown(4, 32_768);
    let finding = finding(&beyond, Code::BeyondTwoGib);
    assert_eq!((finding.numbers["pages_before"], finding.numbers["pages_after"]), (4, 32_772));
    assert!(finding.message.contains("(test.js:20)"), "{beyond}");
    // Just up to there, with the last page, is not beyond.
    let mut below = grown(4, 32_763).findings.into_iter().map(|finding| finding.code);
    assert!(!below.any(|code| code == Code::BeyondTwoGib));
}

/// The riddle: the memory of an idle instance, and a new instance for each round trip.
#[test]
fn the_watched_instance_is_idle_while_others_work() {
    let mut program = Program::new();
    let watched = program.instance();
    program.read(watched, 2);
    for _ in 0..17 {
        let instance = program.instance();
        program.grow(instance, 2, 2);
        program.round_trip(instance, 131_073);
        program.read(watched, 2);
    }
    let report = program.report();
    let idle = finding(&report, Code::WatchedIdleInstance);
    assert_eq!(
        idle.message,
        "the memory whose size was read 18 times belongs to instance 0, which was not called and \
         allocated nothing between the readings; the work was done in instances 1 to 17, which made \
         17 allocations; each grew from 2 to 4 pages and freed everything"
    );
    assert_eq!(idle.stacks[0].stack[0].function, "measure (test.js:10)");
    assert_eq!(idle.stacks[1].stack[0].function, "setUp (test.js:3)");
    let [answer] = &report.answers[..] else { panic!("{report}") };
    assert!(answer.starts_with("The memory whose size was read 18 times"), "{answer}");
    assert!(
        answer.contains("All 18 sizes that the program read, by the buffer's length, agree"),
        "{answer}"
    );
    let many = finding(&report, Code::InstancePerCall);
    assert_eq!((many.numbers["instances"], many.numbers["pages"]), (18, 2 + 17 * 4));
    assert_eq!((many.numbers["live_bytes"], many.numbers.get("collected")), (0, None));
    assert!(report.to_string().contains("\ninstance  pages"), "{report}");
}

#[test]
fn the_work_had_not_begun() {
    let mut program = Program::new();
    let instance = program.instance();
    program.read(instance, 2);
    program.read(instance, 2);
    program.grow(instance, 2, 3);
    program.round_trip(instance, 131_073);
    let report = program.report();
    let early = finding(&report, Code::MeasuredTooEarly);
    assert_eq!(early.numbers["allocations_after"], 1);
    assert!(report.answers[0].contains("Await the work"));
}

#[test]
fn the_work_of_others_came_after_the_last_reading() {
    let mut program = Program::new();
    let watched = program.instance();
    program.read(watched, 2);
    program.read(watched, 2);
    let other = program.instance();
    program.round_trip(other, 10);
    let report = program.report();
    let idle = finding(&report, Code::WatchedIdleInstance);
    assert!(
        idle.message.ends_with(
            "the work was done in instance 1, which made 1 allocation, stayed at 2 pages and freed \
         everything, all of it after the last reading"
        ),
        "{}",
        idle.message
    );
}

#[test]
fn the_memory_is_not_the_one_that_is_used() {
    let mut program = Program::new();
    let instance = program.instance();
    let other = program.memory();
    program.read(other, 2);
    program.round_trip(instance, 100);
    program.read(other, 2);
    let report = program.report();
    let foreign = finding(&report, Code::ForeignMemory);
    assert!(foreign.message.starts_with("no instance uses memory 1"), "{}", foreign.message);
}

#[test]
fn there_was_room() {
    let mut program = Program::new();
    let instance = program.instance();
    program.read(instance, 2);
    program
        .event(instance, Event::Allocated { pointer: 4096, size: 60_000, align: 0, context: WORK });
    program.read(instance, 2);
    let report = program.report();
    let room = finding(&report, Code::RoomToSpare);
    assert_eq!((room.numbers["allocations"], room.numbers["peak_bytes"]), (1, 60_000));
}

#[test]
fn freed_blocks_were_used_again() {
    let mut program = Program::new();
    let instance = program.instance();
    program.grow(instance, 2, 2);
    program.round_trip(instance, 131_073);
    for _ in 0..3 {
        program.read(instance, 4);
        program.round_trip(instance, 131_073);
    }
    program.read(instance, 4);
    let report = program.report();
    let reused = finding(&report, Code::Reused);
    assert_eq!(reused.numbers["allocations"], 3);
    let held = finding(&report, Code::GrewAndHeld);
    assert_eq!((held.numbers["pages_at_start"], held.numbers["pages_at_end"]), (2, 4));
    assert!(!report.has_errors());
}

/// A test that sees its memory grow is told why it stays so large.
#[test]
fn a_growth_that_was_seen_was_held() {
    let mut program = Program::new();
    let instance = program.instance();
    program.read(instance, 2);
    program.grow(instance, 2, 2);
    program.round_trip(instance, 131_073);
    program.read(instance, 4);
    let report = program.report();
    let answer = &report.answers[0];
    assert!(answer.starts_with("Instance 0 grew from 2 to 4 pages"), "{answer}");
}

#[test]
fn a_view_is_stale() {
    let mut program = Program::new();
    let instance = program.instance();
    program.grow(instance, 2, 2);
    for _ in 0..5 {
        program.host(HostRecord::StaleView { memory: instance, pages: 2, stack: READ });
    }
    let report = program.report();
    let stale = finding(&report, Code::StaleView);
    assert_eq!((stale.numbers["times"], stale.numbers["pages"]), (5, 2));
    assert!(report.has_errors());
}

#[test]
fn growths_from_outside_count() {
    let mut program = Program::new();
    let instance = program.instance();
    program.read(instance, 2);
    let (delta_pages, previous_pages) = (3, Some(2));
    program.host(HostRecord::HostGrown {
        memory: instance,
        delta_pages,
        previous_pages,
        stack: GROWN,
    });
    program.read(instance, 5);
    let report = program.report();
    assert!(report.findings.iter().all(|f| f.code != Code::WitnessesDisagree), "{report}");
    assert_eq!(report.totals.at_end.pages, 5);
}

#[test]
fn the_witnesses_disagree() {
    let mut program = Program::new();
    let instance = program.instance();
    program.read(instance, 2);
    program.read(instance, 3);
    let report = program.report();
    let disagree = finding(&report, Code::WitnessesDisagree);
    assert_eq!((disagree.numbers["pages_read"], disagree.numbers["pages_recorded"]), (3, 2));
}

/// Places where instances were made, what they hold, and how many were collected where that says something.
#[test]
fn many_instances() {
    let program = || {
        let mut program = Program::new();
        for number in 0..6 {
            let instance = program.instance();
            let pointer = 4096 + 16 * number;
            let size = 100;
            program.event(instance, Event::Allocated { pointer, size, align: 0, context: WORK });
        }
        program.host(HostRecord::Collected);
        program.trace()
    };
    let report = analyze(&program()).unwrap();
    let many = finding(&report, Code::InstancePerCall);
    let said = "6 instances of strings.wasm were made (0 to 5), all of them at test.js:3, with a memory each: 12 \
                pages (786,432 bytes) in all, 600 bytes of them live";
    assert_eq!(many.message, said);
    assert_eq!((many.numbers["live_bytes"], many.numbers.get("collected")), (600, None));
    let options = AnalysisOptions::default().collected(true);
    let report = analyze_stream(program().as_bytes(), &options).unwrap();
    let many = finding(&report, Code::InstancePerCall);
    assert_eq!(many.message, format!("{said}; 1 of them was collected as garbage"));
    assert_eq!(many.numbers["collected"], 1);
}

const NO_MEMORY: &str = "RangeError: no memory";

/// Instances that pile up are one answer, before what the sizes mean.
#[test]
fn instances_pile_up_until_one_is_refused() {
    let mut program = Program::new();
    for _ in 0..40 {
        program.instance();
    }
    program.read(0, 2);
    program.read(0, 2);
    program.refused(Refused::InstanceMemory, 40, NO_MEMORY);
    program.refused(Refused::InstanceMemory, 40, NO_MEMORY);
    let report = program.report();
    let refused = finding(&report, Code::MemoryRefused);
    assert_eq!(
        refused.message,
        "the engine refused 2 instances of strings.wasm (test.js:3): RangeError: no memory; 40 memories were alive \
         then, with 80 pages (5,242,880 bytes) in all; the program made 40 instances, all of them at test.js:3"
    );
    assert_eq!((refused.severity, refused.numbers["times"]), (Severity::Error, 2));
    let [answer] = &report.answers[..] else { panic!("{report}") };
    assert!(answer.starts_with("The engine refused 2 instances of strings.wasm"), "{answer}");
    assert!(
        report.findings.iter().all(|finding| finding.code != Code::InstancePerCall),
        "{report}"
    );
}

/// Few memories are alive: it is the size of this one, and the program goes on without it.
#[test]
fn a_refusal_that_the_program_handles_is_a_note() {
    let refused = |uncaught: bool| {
        let mut program = Program::new();
        program.instance();
        program.refused(Refused::InstanceMemory, 1, NO_MEMORY);
        if uncaught {
            program.host(HostRecord::Uncaught { text: NO_MEMORY.to_owned() });
        }
        program.report()
    };
    let handled = refused(false);
    assert_eq!(finding(&handled, Code::MemoryRefused).severity, Severity::Note);
    assert!(handled.answers.is_empty(), "{handled}");
    let uncaught = refused(true);
    let finding = finding(&uncaught, Code::MemoryRefused);
    assert_eq!(finding.severity, Severity::Error);
    assert!(
        finding.message.contains("no memory, which nobody caught; 1 memory was alive"),
        "{uncaught}"
    );
    assert!(uncaught.answers[0].ends_with("engines reserve the addresses for it."), "{uncaught}");
}

#[test]
fn an_instance_that_does_not_link_is_a_note() {
    let mut program = Program::new();
    program.instance();
    program.refused(Refused::Instance, 1, "LinkError: an import");
    let report = program.report();
    let finding = finding(&report, Code::NotInstantiated);
    assert_eq!(
        finding.message,
        "the engine refused an instance of strings.wasm (test.js:3): LinkError: an import"
    );
    assert_eq!((finding.severity, report.answers.len()), (Severity::Note, 0));
}
