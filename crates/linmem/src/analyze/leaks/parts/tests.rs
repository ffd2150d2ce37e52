//! Objects and their parts in recordings that are written by hand.

use crate::analyze::recording::Recording;
use crate::report::{Code, Report};
use crate::trace::{Crossing, Event, HostRecord, HostStackId, Record};

const MODULE: &str = r#"(module (memory 2)
    (func (export "malloc") (param i32) (result i32) unreachable)
    (func (export "free") (param i32))
    (func (export "create") (result i32) unreachable)
    (func (export "buffer_of") (param i32) (result i32) unreachable)
    (func (export "face_of") (param i32) (result i32) unreachable))"#;
const CREATE: u32 = 2;
const BUFFER_OF: u32 = 3;
const FACE_OF: u32 = 4;
/// Their call stacks.
const IN_CREATE: u32 = 0;
const IN_BUFFER_OF: u32 = 1;
const IN_FACE: u32 = 2;

/// The program's own memory, with objects of 32 bytes and buffers of 64, each of which an export returned.
struct Program {
    recording: Recording,
    words: Vec<(u64, u32)>,
}

impl Program {
    fn new() -> Program {
        let mut recording =
            Recording::of(&[("a.wasm", MODULE)], &["create", "buffer_of", "face_of"]);
        recording.host_stacks(&["app.mjs:5", "app.mjs:9"]);
        recording.instance(0);
        Program { recording, words: Vec::new() }
    }

    fn object(&mut self, number: u64) -> u64 {
        self.block(0x1000 + number * 0x100, 32, CREATE, IN_CREATE, 0)
    }

    fn buffer(&mut self, number: u64) -> u64 {
        self.block(0x8000 + number * 0x100, 64, BUFFER_OF, IN_BUFFER_OF, 1)
    }

    fn block(&mut self, pointer: u64, size: u64, by: u32, context: u32, line: u32) -> u64 {
        self.recording.enter(by, Some(line));
        self.recording.allocate(pointer, size, context);
        self.recording.0.event(&Event::Crossed { pointer, crossing: Crossing::Returned(by) });
        pointer
    }

    /// A word in the first block with the address of the second.
    fn point(&mut self, from: u64, to: u64) {
        self.words.push((from + 8, u32::try_from(to).unwrap()));
    }

    fn report(mut self) -> Report {
        self.words.sort_unstable();
        self.recording.snapshot_with(0, &[], &self.words);
        self.recording.finish().report().unwrap()
    }

    /// The messages about what the host holds, up to where it was allocated.
    fn told(self) -> Vec<String> {
        let report = self.report();
        let held = report.findings.into_iter().filter(|f| f.code == Code::LeakHostHeld);
        held.map(|finding| finding.message).collect()
    }
}

#[test]
fn a_buffer_that_an_object_of_its_own_points_to_is_a_part_of_it() {
    let mut program = Program::new();
    for number in 0..3 {
        let object = program.object(number);
        let buffer = program.buffer(number);
        program.point(object, buffer);
    }
    assert_eq!(
        program.told(),
        [
            "96 bytes in 3 blocks never given back: the host got 3 blocks from `create` and freed 0 (allocated at \
             app.mjs:5)",
            "192 bytes in 3 blocks never given back: the host got 3 blocks from `buffer_of` and freed 0 (allocated at \
             app.mjs:9); each is pointed to by an object that the host got from `create`",
        ]
    );
}

#[test]
fn buffers_are_no_parts_where_an_object_has_several_or_several_have_one() {
    let alone = [
        "192 bytes in 3 blocks never given back: the host got 3 blocks from `buffer_of` and freed 0 (allocated at \
         app.mjs:9)",
    ];
    let buffers = |program: Program| {
        let of_buffers = program.told().into_iter().filter(|text| text.contains("`buffer_of` and"));
        of_buffers.collect::<Vec<_>>()
    };
    // A list points to its items.
    let mut program = Program::new();
    let object = program.object(0);
    for number in 0..3 {
        let buffer = program.buffer(number);
        program.words.push((object + 4 * number, u32::try_from(buffer).unwrap()));
    }
    assert_eq!(buffers(program), alone);
    // And so does the newest of a database's statements to the one before.
    let mut program = Program::new();
    let object = program.object(0);
    let statements = [0, 1, 2].map(|number| program.buffer(number));
    program.point(object, statements[2]);
    program.point(statements[2], statements[1]);
    program.point(statements[1], statements[0]);
    assert_eq!(buffers(program), alone);
    // Several objects share one.
    let mut program = Program::new();
    let objects = [0, 1, 2].map(|number| program.object(number));
    let buffers_of_objects = [0, 1, 2].map(|number| program.buffer(number));
    objects.into_iter().for_each(|object| program.point(object, buffers_of_objects[0]));
    assert_eq!(buffers(program), alone);
}

/// A face keeps the blob that it was made of, past a block of its own, and the blob its bytes.
#[test]
fn what_an_object_was_made_of_is_a_part_of_it() {
    let mut program = Program::new();
    for number in 0..3 {
        let bytes = program.buffer(number);
        let blob = program.object(number);
        program.point(blob, bytes);
        let own = 0x4000 + number * 0x100;
        program.recording.allocate(own, 16, IN_FACE);
        let face = program.block(0x5000 + number * 0x100, 24, FACE_OF, IN_FACE, 1);
        program.point(face, own);
        program.point(own, blob);
    }
    let told = program.told();
    let starts = ["72 bytes in 3 blocks", "192 bytes in 3 blocks", "96 bytes in 3 blocks"];
    let ends = ["48 bytes in 3 blocks more hang on these", "from `create`", "from `face_of`"];
    assert_eq!(told.len(), 3, "{told:?}");
    for ((told, start), end) in told.iter().zip(starts).zip(ends) {
        assert!(told.starts_with(start) && told.ends_with(end), "{told}");
    }
}

/// What the object hands out later leads there, too.
#[test]
fn of_several_that_lead_to_a_part_the_oldest_has_it() {
    let mut program = Program::new();
    for number in 0..3 {
        let buffer = program.buffer(number);
        let object = program.object(number);
        let element = program.block(0x5000 + number * 0x100, 8, FACE_OF, IN_FACE, 1);
        program.words.push((element, u32::try_from(buffer).unwrap()));
        program.point(object, buffer);
    }
    let told = program.told();
    let end = "; each is pointed to by an object that the host got from `create`";
    assert!(
        told.iter().any(|text| text.starts_with("192 bytes") && text.ends_with(end)),
        "{told:?}"
    );
}

/// A statement leads to its database, and the database to its only statement.
#[test]
fn of_two_that_lead_to_each_other_the_older_one_has_the_other() {
    let mut program = Program::new();
    for number in 0..3 {
        let database = program.object(number);
        let statement = program.buffer(number);
        program.point(database, statement);
        program.point(statement, database);
    }
    let told = program.told();
    assert!(told[0].starts_with("96 bytes") && told[1].ends_with("from `create`"), "{told:?}");
}

#[test]
fn one_that_is_not_pointed_to_does_not_tear_apart_what_is_alike() {
    let mut program = Program::new();
    for number in 0..3 {
        let object = program.object(number);
        let buffer = program.buffer(number);
        if number > 0 {
            program.point(object, buffer);
        }
    }
    let told = program.told();
    assert_eq!(told.len(), 2, "{told:?}");
    let end = "; 2 of them are each pointed to by an object that the host got from `create`";
    assert!(told[1].ends_with(end), "{told:?}");
}

/// A document's handle is not registered with a finalizer, and its text's is. When the text is freed, the document keeps
/// what both lead to.
#[test]
fn what_a_handle_of_the_hosts_leads_to_is_not_only_the_finalizers() {
    let mut program = Program::new();
    let (handle, registered, shared) = (program.object(0), 0x2000, 0x3000);
    program.recording.allocate(registered, 16, IN_CREATE);
    let stack = HostStackId(0);
    let record = HostRecord::Registered { memory: 0, address: registered, stack };
    program.recording.0.record(&Record::Host(record));
    program.recording.allocate(shared, 500, IN_CREATE);
    let own = 0x4000;
    program.recording.allocate(own, 7, IN_CREATE);
    program.point(handle, shared);
    program.point(registered, shared);
    program.words.push((registered + 4, u32::try_from(own).unwrap()));
    let report = program.report();
    let leaks = &report.memories[0].leaks;
    assert_eq!((leaks.host_held.blocks, leaks.host_held.bytes), (2, 532));
    assert_eq!((leaks.finalizer_held.blocks, leaks.finalizer_held.bytes), (2, 23));
}
