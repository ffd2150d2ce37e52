//! Threads that share a memory: whatever they do, and however their events are spread over recordings, the
//! merged recordings say what one recording of all events in their order says.

use std::collections::BTreeMap;

use linmem::trace::{
    ContextId, Crossing, Event, LiveFrames, Record, Sharing, UNKNOWN_SIZE, Writer,
};
use linmem::{Analysis, AnalysisOptions, MergedAnalysis, Report};
use proptest::prelude::*;

const THREADS: usize = 4;

/// What a thread does next: which block of those that live it takes, and how large the next one is.
type Step = (usize, u8, usize, u64);

fn head(sharing: Sharing, thread: Option<u64>) -> Vec<Record> {
    let module = Record::Module {
        name: "a.wasm".to_owned(),
        bytes: wat::parse_str("(module (memory 1 4 shared))").unwrap(),
        allocator: r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#.to_owned(),
    };
    let thread = thread.map(|thread| Record::Thread { process: "one".to_owned(), thread });
    let memory =
        Record::Memory { initial_pages: 1, max_pages: Some(4), page_bytes: 65_536, sharing };
    thread.into_iter().chain([module, memory]).collect()
}

/// Each of these has contexts of its own: as many as there are kinds of events.
fn contexts(of: usize) -> impl Iterator<Item = Record> {
    (0..3).map(move |kind| Record::Context {
        frames: vec![linmem::trace::Frame::Host(format!("thread {of}, kind {kind}"))],
    })
}

/// The events of the threads in their order. A reallocation takes two steps, between which others work.
struct World {
    live: Vec<u64>,
    next: u64,
    /// By thread: the block under reallocation, and its new size.
    moving: BTreeMap<usize, (u64, u64)>,
    events: Vec<(usize, Event)>,
}

impl World {
    fn step(&mut self, (thread, what, choice, size): Step) {
        if let Some((_, new_size)) = self.moving.remove(&thread) {
            let moved = self.fresh(new_size);
            self.add(thread, Event::Reallocated { pointer: moved });
            return;
        }
        let block = (!self.live.is_empty()).then(|| choice % self.live.len());
        match (what % 5, block) {
            (0, Some(block)) => {
                let pointer = self.live.swap_remove(block);
                let context = ContextId(1);
                self.add(thread, Event::Freed { pointer, size: UNKNOWN_SIZE, align: 0, context });
            }
            (1, Some(block)) => {
                let pointer = self.live.swap_remove(block);
                self.moving.insert(thread, (pointer, size));
                let (old_size, align, context) = (UNKNOWN_SIZE, 0, ContextId(2));
                let new_size = size;
                let event = Event::Reallocating { pointer, old_size, align, new_size, context };
                self.add(thread, event);
            }
            // Something that was never a block, or is none any more.
            (2, _) => {
                let (pointer, context) = (8 * (choice as u64 + 1), ContextId(1));
                if !self.live.contains(&pointer) {
                    let event = Event::Freed { pointer, size: UNKNOWN_SIZE, align: 0, context };
                    self.add(thread, event);
                }
            }
            (3, Some(block)) => {
                let (pointer, crossing) = (self.live[block], Crossing::Returned(0));
                self.add(thread, Event::Crossed { pointer, crossing });
            }
            _ => {
                let pointer = self.fresh(size);
                let context = ContextId(0);
                self.add(thread, Event::Allocated { pointer, size, align: 0, context });
            }
        }
    }

    fn fresh(&mut self, size: u64) -> u64 {
        let pointer = self.next;
        self.next += size.next_multiple_of(8) + 8;
        self.live.push(pointer);
        pointer
    }

    fn add(&mut self, thread: usize, event: Event) {
        self.events.push((thread, event));
    }
}

fn events(steps: &[Step]) -> Vec<(usize, Event)> {
    let (live, events) = (Vec::new(), Vec::new());
    let mut world = World { live, next: 4096, moving: BTreeMap::new(), events };
    steps.iter().for_each(|step| world.step(*step));
    world.events
}

/// One recording of all, in order.
fn alone(events: &[(usize, Event)]) -> Report {
    let mut writer = Writer::new(Vec::new());
    head(Sharing::Private, None).iter().for_each(|record| writer.record(record));
    for thread in 0..THREADS {
        writer.record(&Record::Instance { module: 0, memory: 0 });
        contexts(thread).for_each(|record| writer.record(&record));
    }
    for &(thread, event) in events {
        writer.record(&Record::Select { instance: thread as u64 });
        writer.record(&Record::Event(in_contexts_of(thread, event)));
    }
    writer.record(&Record::Exit { code: 0 });
    let mut analysis = Analysis::default();
    analysis.push(&writer.finish().unwrap()).unwrap();
    analysis.finish().report().unwrap()
}

/// The event where the contexts of all threads stand one after another.
fn in_contexts_of(thread: usize, mut event: Event) -> Event {
    if let Event::Allocated { context, .. }
    | Event::Freed { context, .. }
    | Event::Reallocating { context, .. } = &mut event
    {
        context.0 += 3 * thread as u32;
    }
    event
}

/// A recording of each thread, with numbers where others have some in between.
fn recordings(events: &[(usize, Event)]) -> Vec<Vec<u8>> {
    (0..THREADS).map(|of| recording(of, events, &[Record::Exit { code: 0 }])).collect()
}

/// The recording of one thread, and how it ends.
fn recording(of: usize, events: &[(usize, Event)], end: &[Record]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    head(Sharing::Shared(7), Some(of as u64)).iter().for_each(|record| writer.record(record));
    writer.record(&Record::Instance { module: 0, memory: 0 });
    contexts(of).for_each(|record| writer.record(&record));
    let mut expected = 0;
    for (number, (_, event)) in (0..).zip(events).filter(|(_, (thread, _))| *thread == of) {
        if number != expected {
            writer.record(&Record::Sequence { number });
        }
        expected = number + 1;
        writer.record(&Record::Event(*event));
    }
    end.iter().for_each(|record| writer.record(record));
    writer.finish().unwrap()
}

fn merged(recordings: &[Vec<u8>]) -> Report {
    let mut analysis = MergedAnalysis::new(AnalysisOptions::default());
    recordings.iter().for_each(|recording| analysis.add(&recording[..]));
    analysis.finish().unwrap()
}

/// What a report says of memory, without what depends on how many instances came before.
fn told(report: &Report) -> (String, Vec<(String, u64, String)>) {
    let memory = &report.memories[0];
    let mut findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            let stacks = format!("{:?}", finding.stacks);
            let times = finding.numbers.get("times").copied().unwrap_or_default();
            (format!("{} {}", finding.code.name(), finding.message), times, stacks)
        })
        .collect();
    findings.sort();
    (format!("{:?}", memory.totals), findings)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn merged_recordings_say_what_one_recording_says(
        steps in prop::collection::vec((0..THREADS, any::<u8>(), 0..64_usize, 1..200_u64), 1..200),
    ) {
        let events = events(&steps);
        let (one, several) = (alone(&events), merged(&recordings(&events)));
        prop_assert_eq!(told(&one), told(&several));
        prop_assert_eq!(one.events, several.events);
        prop_assert_eq!(several.memories[0].users.len(), THREADS);
    }

    /// Without one of the recordings there are numbers that never come: nothing is called an error.
    #[test]
    fn a_lost_recording_is_no_error(
        steps in prop::collection::vec((0..THREADS, any::<u8>(), 0..64_usize, 1..200_u64), 50..200),
        lost in 1..THREADS,
    ) {
        let events = events(&steps);
        let last_of_others = events.iter().rposition(|(thread, _)| *thread != lost);
        let first_lost = events.iter().position(|(thread, _)| *thread == lost);
        prop_assume!(first_lost.zip(last_of_others).is_some_and(|(lost, last)| lost < last));
        let mut recordings = recordings(&events);
        recordings.remove(lost);
        let report = merged(&recordings);
        prop_assert!(!report.has_errors(), "{}", report);
        prop_assert!(report.findings.iter().any(|finding| finding.code.name() == "events-missing"));
    }
}

/// A worker that is ended in a call had no chance to keep or to free what it just got.
#[test]
fn the_last_block_of_a_thread_that_was_ended_is_not_judged() {
    let allocated = |pointer| {
        let (size, align, context) = (8, 0, ContextId(0));
        Event::Allocated { pointer, size, align, context }
    };
    let freed = |pointer| {
        let (size, align, context) = (UNKNOWN_SIZE, 0, ContextId(1));
        Event::Freed { pointer, size, align, context }
    };
    let first = [(1, allocated(4096)), (0, allocated(8192)), (0, freed(8192))];
    let more = [(1, allocated(12288)), (1, freed(12288))];
    for (events, code) in
        [(first.to_vec(), "not-judged"), ([&first[..], &more].concat(), "leak-definite")]
    {
        let globals = Record::Globals { live_frames: LiveFrames::None, values: Vec::new() };
        let snapshot = Record::Snapshot { memory: 0, pages: 1 };
        let end = [snapshot, globals, Record::Exit { code: 0 }];
        let report = merged(&[recording(0, &events, &end), recording(1, &events, &[])]);
        let codes: Vec<_> = report.findings.iter().map(|finding| finding.code.name()).collect();
        assert_eq!(codes, [code], "{report}");
    }
}
