use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use proptest::prelude::*;

use super::super::Writer;
use super::*;

const NO_ALLOCATOR: &str = r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#;

/// The bytes of a recording.
fn recording(records: &[Record]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    records.iter().for_each(|record| writer.record(record));
    writer.finish().unwrap()
}

fn module(name: &str) -> Record {
    Record::Module { name: name.into(), bytes: vec![0], allocator: NO_ALLOCATOR.into() }
}

fn memory(sharing: Sharing) -> Record {
    Record::Memory { initial_pages: 1, max_pages: None, page_bytes: 65_536, sharing }
}

fn instance(module: u64, memory: u64) -> Record {
    Record::Instance { module, memory }
}

const SHARED: Sharing = Sharing::Shared(0);

fn context(function: u32) -> Record {
    Record::Context { frames: vec![Frame::Wasm { function, offset: None }] }
}

fn allocated(context: u32, pointer: u64) -> Record {
    Record::Event(Event::Allocated { pointer, size: 8, align: 0, context: ContextId(context) })
}

fn freed(context: u32, pointer: u64) -> Record {
    let (size, align) = (super::super::UNKNOWN_SIZE, 0);
    Record::Event(Event::Freed { pointer, size, align, context: ContextId(context) })
}

fn number(number: u64) -> Record {
    Record::Sequence { number }
}

fn select(instance: u64) -> Record {
    Record::Select { instance }
}

const EXIT: Record = Record::Exit { code: 0 };

/// An instance with shared memory number 0 of the process, and events with these numbers, which are also
/// the addresses.
fn thread(numbers: &[u64]) -> Vec<Record> {
    let mut records = vec![module("a"), memory(SHARED), instance(0, 0), context(7)];
    for at in numbers {
        records.extend([number(*at), allocated(0, *at)]);
    }
    records.push(EXIT);
    records
}

/// All that comes out of whole recordings.
fn merged(recordings: &[Vec<Record>]) -> Vec<Merged> {
    let bytes: Vec<_> = recordings.iter().map(|records| recording(records)).collect();
    let mut merge = Merge::new();
    for bytes in &bytes {
        let number = merge.add(&bytes[..], ModulesBeside::default());
        merge.end(number);
    }
    merge.close();
    drain(&mut merge)
}

fn drain<R: Read>(merge: &mut Merge<R>) -> Vec<Merged> {
    std::iter::from_fn(|| merge.next_merged().unwrap()).collect()
}

fn records(merged: &[Merged]) -> Vec<Record> {
    let record = |merged: &Merged| match merged {
        Merged::Record(record) => Some(record.clone()),
        _ => None,
    };
    merged.iter().filter_map(record).collect()
}

fn addresses(merged: &[Merged]) -> Vec<u64> {
    let address = |record| match record {
        Record::Event(Event::Allocated { pointer, .. } | Event::Freed { pointer, .. }) => {
            Some(pointer)
        }
        _ => None,
    };
    records(merged).into_iter().filter_map(address).collect()
}

fn ended(recording: usize) -> Merged {
    Merged::Ended { recording, thread: None, end: Some(EXIT) }
}

#[test]
fn one_recording_stays_as_it_is() {
    let alone = [
        module("a"),
        module("b"),
        memory(Sharing::Private),
        instance(0, 0),
        context(1),
        allocated(0, 64),
        memory(Sharing::Private),
        instance(1, 1),
        context(2),
        allocated(1, 64),
        select(0),
        freed(0, 64),
        Record::Snapshot { memory: 0, pages: 1 },
        Record::SnapshotBytes { address: 64, bytes: vec![1] },
    ];
    let out = merged(&[[&alone[..], &[EXIT]].concat()]);
    assert_eq!(records(&out), alone);
    assert_eq!(out.last(), Some(&ended(0)));
}

#[test]
fn a_block_is_freed_after_another_thread_has_allocated_it() {
    let head = [module("a"), memory(SHARED), instance(0, 0), context(7)];
    let main = [&head[..], &[context(8), number(1), freed(1, 64), EXIT]].concat();
    let worker = [&head[..], &[number(0), allocated(0, 64), EXIT]].concat();
    let out = merged(&[main, worker]);
    let expected = [
        module("a"),
        memory(SHARED),
        instance(0, 0),
        instance(0, 0),
        context(7),
        allocated(0, 64),
        context(8),
        select(0),
        freed(1, 64),
    ];
    assert_eq!(records(&out), expected);
}

#[test]
fn what_differs_stays_apart() {
    let one = [module("a"), memory(Sharing::Unknown), instance(0, 0), context(7)];
    let one = [&one[..], &[allocated(0, 1), EXIT]].concat();
    let other = [module("b"), memory(Sharing::Unknown), instance(0, 0), context(7)];
    let other = [&other[..], &[allocated(0, 2), EXIT]].concat();
    let out = records(&merged(&[one, other]));
    assert!(out.contains(&instance(1, 1)));
    assert_eq!(out.iter().filter(|record| **record == context(7)).count(), 2);
    assert_eq!(out.last(), Some(&allocated(1, 2)));
}

#[test]
fn events_of_unshared_memories_have_no_numbers() {
    let main = thread(&[1]);
    let other = vec![
        module("b"),
        memory(Sharing::Private),
        instance(0, 0),
        context(1),
        allocated(0, 5),
        EXIT,
    ];
    let out = merged(&[main, other, thread(&[0])]);
    assert_eq!(addresses(&out), [5, 0, 1]);
}

#[test]
fn a_hole_is_told_once_at_the_end() {
    let bytes = [recording(&thread(&[0, 4, 5])), recording(&thread(&[1, 6, 9]))];
    let mut merge = Merge::new();
    for bytes in &bytes {
        merge.add(&bytes[..], ModulesBeside::default());
    }
    assert_eq!(addresses(&drain(&mut merge)), [0, 1]);
    merge.end(0);
    merge.close();
    assert_eq!(drain(&mut merge), []);
    merge.end(1);
    let out = drain(&mut merge);
    assert_eq!(addresses(&out), [4, 5, 6, 9]);
    let holes: Vec<_> = out.iter().filter(|merged| matches!(merged, Merged::Hole { .. })).collect();
    assert_eq!(holes, [&Merged::Hole { from: 2, to: 4 }, &Merged::Hole { from: 7, to: 9 }]);
}

/// Hands out at most so many bytes at a time, and counts them.
struct Counting<'b>(&'b [u8], Rc<Cell<usize>>);

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.set(self.1.get() + read);
        Ok(read)
    }
}

#[test]
fn a_recording_that_waits_is_not_read_further() {
    let late: Vec<u64> = (1..200_000).collect();
    let bytes = [recording(&thread(&late)), recording(&thread(&[0]))];
    let read = Rc::new(Cell::new(0));
    let mut merge = Merge::new();
    merge.add(Counting(&bytes[0], Rc::clone(&read)), ModulesBeside::default());
    drain(&mut merge);
    assert!(bytes[0].len() > 1_000_000 && read.get() <= 128 * 1024, "{}", read.get());
    merge.add(Counting(&bytes[1], Rc::default()), ModulesBeside::default());
    assert_eq!(addresses(&drain(&mut merge)).len(), 200_000);
}

#[test]
fn nothing_comes_between_the_parts_of_a_snapshot() {
    let snapshot = Record::Snapshot { memory: 0, pages: 1 };
    let part = Record::SnapshotBytes { address: 0, bytes: vec![1; 100] };
    let with = |part: Record| {
        let head = [memory(Sharing::Private), snapshot.clone()];
        [&head[..], &[part.clone(), part, EXIT]].concat()
    };
    let bytes = recording(&with(part.clone()));
    let (first, rest) = bytes.split_at(bytes.len() - 100);
    let source = Growing::default();
    source.push(first);
    let mut merge = Merge::new();
    merge.add(source.clone(), ModulesBeside::default());
    merge.add(Growing::of(&bytes), ModulesBeside::default());
    let before = drain(&mut merge);
    assert_eq!(records(&before).last(), Some(&part));
    source.push(rest);
    assert_eq!(records(&drain(&mut merge))[0], part);
}

#[test]
fn recordings_may_be_empty_or_cut() {
    let bytes = recording(&thread(&[0, 1]));
    let mut merge = Merge::new();
    for bytes in [&bytes[..0], &bytes[..3], &bytes[..bytes.len() - 4]] {
        let number = merge.add(bytes, ModulesBeside::default());
        merge.end(number);
    }
    merge.close();
    let out = drain(&mut merge);
    assert_eq!(addresses(&out), [0]);
    let ends = out.iter().filter(|merged| matches!(merged, Merged::Ended { end: None, .. }));
    assert_eq!(ends.count(), 3);
}

#[test]
fn damage_is_told_and_the_others_go_on() {
    // Numbers that go backwards, one that was there, and one for which two wait.
    for (first, second) in [(&[0, 2][..], &[1, 0][..]), (&[0, 2], &[0]), (&[1, 2], &[1])] {
        let third = if first[0] == 0 { vec![] } else { vec![0] };
        let bytes = [first, second, &third].map(|numbers| recording(&thread(numbers)));
        let mut merge = Merge::new();
        for bytes in &bytes {
            let number = merge.add(&bytes[..], ModulesBeside::default());
            merge.end(number);
        }
        merge.close();
        let mut errors = 0;
        let mut out = Vec::new();
        loop {
            match merge.next_merged() {
                Ok(Some(merged)) => out.push(merged),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::InvalidTrace);
                    errors += 1;
                }
            }
        }
        assert_eq!(errors, 1);
        assert_eq!(addresses(&out).last(), Some(&2));
    }
}

/// A source that has more later.
#[derive(Clone, Default)]
struct Growing(Rc<RefCell<VecDeque<u8>>>);

impl Growing {
    fn of(bytes: &[u8]) -> Growing {
        let source = Growing::default();
        source.push(bytes);
        source
    }

    fn push(&self, bytes: &[u8]) {
        self.0.borrow_mut().extend(bytes);
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

proptest! {
    /// Events of up to five threads, which were recorded in any distribution and arrive in pieces of any size,
    /// come out in order; what has no number comes out in the order of its recording.
    #[test]
    fn any_distribution_in_any_pieces(
        threads in prop::collection::vec(0..5_usize, 1..200),
        pieces in prop::collection::vec((0..5_usize, 1..40_usize), 0..300),
    ) {
        let head = [module("a"), memory(SHARED), instance(0, 0), context(7)];
        let mut recordings = vec![head.to_vec(); 5];
        let mut expects = [0; 5];
        for (at, &thread) in threads.iter().enumerate() {
            let records = &mut recordings[thread];
            if at as u64 != expects[thread] {
                records.push(number(at as u64));
            }
            expects[thread] = at as u64 + 1;
            records.push(allocated(0, at as u64));
            records.push(Record::Event(Event::Called { function: at as u32, times: 1 }));
        }
        let bytes: Vec<_> = recordings.iter().map(|records| recording(records)).collect();
        let sources: Vec<_> = bytes.iter().map(|_| Growing::default()).collect();
        let mut merge = Merge::new();
        sources.iter().for_each(|source| { merge.add(source.clone(), ModulesBeside::default()); });
        let mut given = [0; 5];
        let mut out = Vec::new();
        for (thread, length) in pieces {
            let end = (given[thread] + length).min(bytes[thread].len());
            sources[thread].push(&bytes[thread][given[thread]..end]);
            given[thread] = end;
            out.extend(drain(&mut merge));
        }
        for thread in 0..5 {
            sources[thread].push(&bytes[thread][given[thread]..]);
            merge.end(thread);
        }
        merge.close();
        out.extend(drain(&mut merge));
        prop_assert_eq!(addresses(&out), (0..threads.len() as u64).collect::<Vec<_>>());
        let holes = out.iter().filter(|merged| matches!(merged, Merged::Hole { .. })).count();
        prop_assert_eq!(holes, 0);
        let mut selected = 0;
        let mut instances = 0;
        let mut called = vec![Vec::new(); 5];
        let mut of = FxHashMap::default();
        for record in records(&out) {
            match record {
                Record::Instance { .. } => { selected = instances; instances += 1; }
                Record::Select { instance } => selected = instance,
                Record::Event(Event::Allocated { pointer, .. }) => { of.insert(selected, threads[pointer as usize]); }
                Record::Event(Event::Called { function, .. }) => {
                    prop_assert_eq!(of[&selected], threads[function as usize]);
                    called[threads[function as usize]].push(function);
                }
                _ => {}
            }
        }
        for functions in called {
            prop_assert!(functions.is_sorted());
        }
    }
}

/// A thread that names the module with this number in the process, which the other one has.
fn thread_without_module(known: u64, numbers: &[u64]) -> Vec<Record> {
    let mut records = thread(numbers);
    records[0] = Record::ModuleOfProcess { number: known };
    records
}

fn thread_with_module(known: u64, numbers: &[u64]) -> Vec<Record> {
    let mut records = thread(numbers);
    records.insert(1, Record::ModuleNumber { number: known });
    records
}

#[test]
fn a_module_that_another_recording_has_is_the_same() {
    let (first, second) = (thread_with_module(3, &[0, 2]), thread_without_module(3, &[1, 3]));
    for both in [[first.clone(), second.clone()], [second, first]] {
        let out = merged(&both);
        assert_eq!(addresses(&out), [0, 1, 2, 3]);
        let records = records(&out);
        let modules = records.iter().filter(|record| matches!(record, Record::Module { .. }));
        assert_eq!(modules.count(), 1);
        let of_module = records.iter().filter(|record| **record == instance(0, 0));
        assert_eq!(of_module.count(), 2);
    }
}

#[test]
fn a_recording_waits_for_its_module() {
    let first = Growing::default();
    let mut merge = Merge::new();
    merge.add(Growing::of(&recording(&thread_without_module(3, &[1]))), ModulesBeside::default());
    merge.add(first.clone(), ModulesBeside::default());
    assert_eq!(addresses(&drain(&mut merge)), NO_ADDRESS);
    first.push(&recording(&thread_with_module(3, &[0])));
    assert_eq!(addresses(&drain(&mut merge)), [0, 1]);
}

const NO_ADDRESS: [u64; 0] = [];

#[test]
fn a_module_that_no_recording_has_is_told_and_the_others_go_on() {
    let bytes = [thread_without_module(3, &[1]), thread_with_module(2, &[0])];
    let bytes = bytes.map(|records| recording(&records));
    let mut merge = Merge::new();
    for bytes in &bytes {
        let number = merge.add(&bytes[..], ModulesBeside::default());
        merge.end(number);
    }
    merge.close();
    let mut out = Vec::new();
    let error = loop {
        match merge.next_merged() {
            Ok(Some(merged)) => out.push(merged),
            Ok(None) => panic!("it was not told"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("give all recordings of the process"), "{error}");
    out.extend(drain(&mut merge));
    assert_eq!(addresses(&out), [0]);
    // A number without a module.
    let mut merge = Merge::new();
    merge.add(
        Growing::of(&recording(&[Record::ModuleNumber { number: 0 }])),
        ModulesBeside::default(),
    );
    assert!(merge.next_merged().is_err());
}
