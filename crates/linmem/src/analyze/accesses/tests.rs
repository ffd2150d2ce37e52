//! What is said of accesses in recordings that are written by hand.

use crate::analyze::Analysis;
use crate::analyze::recording::Recording;
use crate::report::{Code, Report};
use crate::trace::{AccessedBy, BadAccess, ContextId, Event, HostRecord, HostStackId, Record};

/// A read of four bytes and a write of two, at an offset of eight.
const TEXT: &str = r#"(module (memory 2) (global $__stack_pointer (mut i32) (i32.const 65536))
    (func (drop (i32.load (i32.const 0))) (i32.store16 offset=8 (i32.const 0) (i32.const 1))))"#;

/// Where the read and the write stand in that module.
fn instructions() -> [u32; 2] {
    let wasm = wat::parse_str(TEXT).unwrap();
    let find = |bytes: &[u8]| wasm.windows(bytes.len()).position(|part| part == bytes).unwrap();
    [find(&[0x28, 2, 0]) as u32, find(&[0x3b, 1, 8]) as u32]
}

fn recording_of(knows_heap: bool) -> Recording {
    let mut recording = Recording::of(&[("a.wasm", TEXT)], &["use", "get", "give back"]);
    recording.instance(0);
    recording.0.record(&Record::Checked { knows_heap });
    recording
}

fn access(recording: &mut Recording, instruction: u32, address: u64) {
    let (by, context) = (AccessedBy::Instruction, ContextId(0));
    let access = BadAccess { instruction, by, address, bytes: 0, context };
    recording.0.event(&Event::BadAccess(access));
}

fn free(recording: &mut Recording, pointer: u64) {
    let (size, context) = (u64::MAX, ContextId(2));
    recording.0.event(&Event::Freed { pointer, size, align: 0, context });
}

fn told(recording: Recording) -> Vec<(Code, String)> {
    let report: Report = recording.finish().report().unwrap();
    let findings = report.findings.into_iter();
    let of_accesses = findings.filter(|finding| finding.numbers.contains_key("address"));
    of_accesses.map(|finding| (finding.code, finding.message)).collect()
}

/// What is said of one access, beside a block of 10 bytes at 0x2000.
fn told_of(instruction: usize, address: u64) -> Vec<(Code, String)> {
    let mut recording = recording_of(true);
    recording.allocate(0x2000, 10, 1);
    access(&mut recording, instructions()[instruction], address);
    told(recording)
}

#[test]
fn an_access_is_told_by_the_block_that_it_missed() {
    let one = |instruction, address, code, words: &str| {
        assert_eq!(told_of(instruction, address), [(code, words.to_owned())]);
    };
    let [read, write] = [0, 1];
    let overflow = Code::HeapOverflow;
    one(read, 0x200a, overflow, "4 bytes read just past the end of a block of 10 bytes");
    one(read, 0x200e, overflow, "4 bytes read 4 bytes past the end of a block of 10 bytes");
    one(
        read,
        0x2008,
        overflow,
        "4 bytes read of which 2 bytes are past the end of a block of 10 bytes",
    );
    // Its own offset comes to the address.
    one(write, 0x2002, overflow, "2 bytes written just past the end of a block of 10 bytes");
    let underflow = "4 bytes read 4 bytes before the start of a block of 10 bytes";
    one(read, 0x1ffc, Code::HeapUnderflow, underflow);
    let nobodys = "4 bytes read at 0x9000, where no block is";
    one(read, 0x9000, Code::UnallocatedAccess, nobodys);
    let null = "2 bytes written at 0xc, near NULL, where the module has nothing";
    one(write, 4, Code::NullAccess, null);
}

#[test]
fn of_a_freed_block_all_is_told_as_long_as_nobody_else_has_its_memory() {
    let after = |reuse: Option<u64>| {
        let mut recording = recording_of(true);
        recording.allocate(0x2000, 32, 1);
        free(&mut recording, 0x2000);
        if let Some(size) = reuse {
            recording.allocate(0x2000, size, 1);
        }
        access(&mut recording, instructions()[0], 0x2008);
        access(&mut recording, instructions()[0], 0x2008);
        told(recording)
    };
    let freed = "4 bytes read 8 bytes into a freed block of 32 bytes; 2 times";
    assert_eq!(after(None), [(Code::UseAfterFree, freed.to_owned())]);
    let overflow = "4 bytes read just past the end of a block of 8 bytes; 2 times";
    assert_eq!(after(Some(8)), [(Code::HeapOverflow, overflow.to_owned())]);
}

/// Beside a freed block, an access is one of that block, unless it lies as close to one that is alive.
#[test]
fn what_lies_beside_a_freed_block_is_told_by_it() {
    // Alive are 16 bytes 32 in front of a freed block of 8 bytes, and 16 bytes 32 behind it.
    let told_at = |address| {
        let mut recording = recording_of(true);
        for (address, size) in [(0x2000, 16), (0x2030, 8), (0x2058, 16)] {
            recording.allocate(address, size, 1);
        }
        free(&mut recording, 0x2030);
        access(&mut recording, instructions()[0], address);
        told(recording).remove(0)
    };
    let freed = |address, words: &str| {
        let message = format!("4 bytes read {words} a freed block of 8 bytes");
        assert_eq!(told_at(address), (Code::UseAfterFree, message));
    };
    freed(0x2039, "1 byte past the end of");
    freed(0x2038, "just past the end of");
    freed(0x2034, "4 bytes into");
    freed(0x202e, "across the start of");
    freed(0x202c, "4 bytes before the start of");
    let alive = |address, code, words: &str| {
        let message = format!("4 bytes read {words} a block of 16 bytes");
        assert_eq!(told_at(address), (code, message));
    };
    alive(0x201f, Code::HeapOverflow, "15 bytes past the end of");
    alive(0x2048, Code::HeapUnderflow, "16 bytes before the start of");
}

/// A block that was freed too early is used by much code, which has one cause.
#[test]
fn accesses_of_one_freed_block_are_one_finding() {
    let mut recording = recording_of(true);
    recording.allocate(0x2000, 32, 1);
    free(&mut recording, 0x2000);
    let [read, write] = instructions();
    access(&mut recording, read, 0x2004);
    access(&mut recording, write, 0x2000);
    access(&mut recording, write, 0x2000);
    let message = "4 bytes read 4 bytes into a freed block of 32 bytes; 1 instruction more accesses such blocks, 3 times \
                   in all";
    assert_eq!(told(recording), [(Code::UseAfterFree, message.to_owned())]);
}

#[test]
fn where_not_all_blocks_are_known_only_null_is_told() {
    let mut recording = recording_of(false);
    recording.allocate(0x2000, 10, 1);
    access(&mut recording, instructions()[0], 0x200a);
    access(&mut recording, instructions()[0], 0x4);
    let report = recording.finish().report().unwrap();
    let codes: Vec<Code> = report.findings.iter().map(|finding| finding.code).collect();
    assert!(
        codes.contains(&Code::NullAccess) && codes.contains(&Code::AccessesUnchecked),
        "{codes:?}"
    );
    assert!(!codes.contains(&Code::HeapOverflow), "{codes:?}");
    let headline = |knows_heap| {
        let text = r#"(module (memory 2)
            (func (export "malloc") (param i32) (result i32) unreachable)
            (func (export "free") (param i32)))"#;
        let mut recording = Recording::of(&[("a.wasm", text)], &["use", "get"]);
        recording.instance(0);
        recording.0.record(&Record::Checked { knows_heap });
        recording.call(0, 1);
        recording.allocate(0x2000, 10, 1);
        recording.free(0x2000);
        recording.finish().report().unwrap().to_string().lines().next().unwrap().to_owned()
    };
    let unchecked = "accesses of the heap were not checked";
    assert_eq!([true, false].map(|knows| headline(knows).contains(unchecked)), [false, true]);
}

#[test]
fn functions_that_are_not_checked_are_named() {
    let report = |unchecked: &[u32]| {
        let text = r#"(module (memory 2)
            (func $malloc (export "malloc") (param i32) (result i32) unreachable)
            (func $free (export "free") (param i32))
            (func $run (export "run")) (func $walk (export "walk")))"#;
        let mut recording = Recording::of(&[("a.wasm", text)], &["use", "get"]);
        recording.instance(0);
        recording.0.record(&Record::Checked { knows_heap: true });
        for &function in unchecked {
            recording.0.record(&Record::Unchecked { function });
        }
        recording.call(2, 1);
        recording.allocate(0x2000, 10, 1);
        recording.free(0x2000);
        recording.finish().report().unwrap()
    };
    let message = |unchecked: &[u32]| {
        let report = report(unchecked);
        let mut findings = report.findings.iter().map(|f| (f.code, f.message.clone()));
        let headline = report.to_string().lines().next().unwrap().to_owned();
        (findings.find(|(code, _)| *code == Code::FunctionsUnchecked).map(|(_, m)| m), headline)
    };
    let why = "were not checked: with checks the code would be larger than engines take";
    let (said, headline) = message(&[3]);
    assert_eq!(said, Some(format!("accesses in walk {why}")));
    assert!(
        headline.ends_with("no problems found, but accesses in 1 function were not checked"),
        "{headline}"
    );
    assert_eq!(message(&[2, 3]).0, Some(format!("accesses in run and 1 other function {why}")));
    let (said, headline) = message(&[]);
    assert_eq!(said, None);
    assert!(headline.ends_with("no problems found"), "{headline}");
}

#[test]
fn a_range_is_told_by_its_length_and_first_address() {
    let mut recording = recording_of(true);
    recording.allocate(0x2000, 10, 1);
    let (instruction, by, context) = (instructions()[0], AccessedBy::WrittenRange, ContextId(0));
    let access = BadAccess { instruction, by, address: 0x200a, bytes: 30, context };
    recording.0.event(&Event::BadAccess(access));
    let across = BadAccess { address: 0x2004, ..access };
    recording.0.event(&Event::BadAccess(across));
    let message = "30 bytes written just past the end of a block of 10 bytes; 2 times";
    assert_eq!(told(recording), [(Code::HeapOverflow, message.to_owned())]);
}

/// What a trace says of an instruction need not be true.
#[test]
fn an_instruction_that_accesses_nothing_is_an_error() {
    for instruction in [0, 1, u32::MAX] {
        let mut recording = recording_of(true);
        access(&mut recording, instruction, 0x2000);
        let trace = recording.0.finish().unwrap();
        let error = Analysis::default().push(&trace).unwrap_err();
        assert!(error.to_string().contains("accesses memory"), "{error}");
    }
}

/// What is said of an access of four bytes, with all blocks known, by a module with this beside its code.
fn told_beside(module: &str, address: u64) -> Vec<Code> {
    let text = format!("(module {module} (func (drop (i32.load (i32.const 0)))))");
    let mut recording = Recording::of(&[("a.wasm", &text)], &["use"]);
    recording.instance(0);
    recording.0.record(&Record::Checked { knows_heap: true });
    let wasm = wat::parse_str(&text).unwrap();
    let load = wasm.windows(3).position(|part| part == [0x28, 2, 0]).unwrap();
    access(&mut recording, load as u32, address);
    told(recording).into_iter().map(|(code, _)| code).collect()
}

/// With the stack first, or with data from a low address on, less than the usual is nobody's.
#[test]
fn where_the_module_has_data_is_not_near_null() {
    let low = r#"(memory 2) (global $__stack_pointer (mut i32) (i32.const 65536)) (data (i32.const 16) "data")"#;
    assert_eq!(
        [8, 0x20].map(|address| told_beside(low, address)),
        [[Code::NullAccess], [Code::UnallocatedAccess]]
    );
    assert_eq!(told_beside(&low.replace("16", "1024"), 0x20), [Code::NullAccess]);
}

/// A module that is written by hand may have its data from address 0 on.
#[test]
fn a_module_that_no_compiler_has_laid_out_has_no_null() {
    let has_null = |module: &str| told_beside(module, 4) == [Code::NullAccess];
    let by_hand = [
        r#"(memory 2)"#,
        r#"(memory 2) (data (i32.const 8) "hello world")"#,
        r#"(memory 2) (data (i32.const 4096) "table")"#,
        r#"(memory 2) (global (mut i32) (i32.const 0))"#,
    ];
    for module in by_hand {
        assert!(!has_null(module), "{module}");
    }
    let malloc = r#"(func (export "malloc") (param i32) (result i32) unreachable)"#;
    let compiled = [
        r#"(memory 2) (global $__stack_pointer (mut i32) (i32.const 512))"#,
        r#"(memory 2) (data (i32.const 1024) "as wasm-ld has it")"#,
        &format!("(memory 2) {malloc}"),
    ];
    for module in compiled {
        assert!(has_null(module), "{module}");
    }
}

fn by_another(recording: &mut Recording, by: AccessedBy, address: u64, bytes: u64) {
    // The first imported function of a module that has one.
    let (instruction, context) = (0, ContextId(0));
    let access = BadAccess { instruction, by, address, bytes, context };
    recording.0.event(&Event::BadAccess(access));
}

fn recording_with_import() -> Recording {
    let text = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)) (memory 2) (func)
        (global $__stack_pointer (mut i32) (i32.const 65536)))"#;
    let mut recording = Recording::of(&[("a.wasm", text)], &["use", "get", "give back"]);
    recording.instance(0);
    recording.0.record(&Record::Checked { knows_heap: true });
    recording.allocate(0x2000, 10, 1);
    recording
}

#[test]
fn what_an_import_is_given_is_told_with_its_name() {
    let one = |by, address, bytes, words: &str| {
        let mut recording = recording_with_import();
        by_another(&mut recording, by, address, bytes);
        assert_eq!(told(recording), [(Code::HostAccess, words.to_owned())]);
    };
    let (reads, writes) = (AccessedBy::ReadByImport, AccessedBy::WrittenByImport);
    let past =
        "12 bytes read by `fd_write` of which 2 bytes are past the end of a block of 10 bytes";
    one(reads, 0x2000, 12, past);
    one(
        writes,
        0,
        4,
        "4 bytes written by `fd_write` at 0x0, near NULL, where the module has nothing",
    );
    let outside =
        "65,536 bytes read by `fd_write` at 0x18000, which reach past the end of the memory";
    one(reads, 0x18000, 0x10000, outside);
    let most =
        "4,294,967,295 bytes read by `fd_write` at 0x2000, which reach past the end of the memory";
    one(reads, 0x2000, u32::MAX.into(), most);
}

/// The length is that of the block.
#[test]
fn the_program_itself_is_told_as_the_host() {
    let mut recording = recording_with_import();
    recording.host_stacks(&["app.mjs:3"]);
    let (memory, address, bytes, is_write, stack) = (0, 0x2004, 8, false, HostStackId(0));
    let accessed = HostRecord::Accessed { memory, address, bytes, is_write, stack };
    recording.0.record(&Record::Host(accessed));
    let [(code, message)] = &told(recording)[..] else { panic!("one finding") };
    assert_eq!(*code, Code::HostAccess);
    let words = "8 bytes read by the host of which 2 bytes are past the end of a block of 10 bytes";
    assert!(message.starts_with(words), "{message}");
}

#[test]
fn bytes_behind_a_block_that_changed_are_told_unless_checked_code_wrote_there() {
    let after = |by: Option<(AccessedBy, u64, u64)>| {
        let mut recording = recording_with_import();
        if let Some((by, address, bytes)) = by {
            by_another(&mut recording, by, address, bytes);
        }
        by_another(&mut recording, AccessedBy::Overwritten, 0x200a, 3);
        told(recording)
    };
    let changed =
        "3 bytes changed from outside just past the end of a block of 10 bytes, found afterwards";
    assert_eq!(after(None), [(Code::BlockOverwritten, changed.to_owned())]);
    let codes = |by, address, bytes| {
        after(Some((by, address, bytes))).into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    // Read, or written elsewhere, or written there.
    assert_eq!(codes(AccessedBy::ReadByImport, 0x2000, 14).len(), 2);
    assert_eq!(codes(AccessedBy::WrittenByImport, 0x200d, 3).len(), 2);
    assert_eq!(codes(AccessedBy::WrittenByImport, 0x2000, 14), [Code::HostAccess]);
    // What is not told may have written there.
    assert_eq!(codes(AccessedBy::Untold, 0, 0), []);
}

/// A block is looked at while it is freed.
#[test]
fn bytes_behind_a_block_that_was_freed_just_now_are_its_own() {
    let mut recording = recording_with_import();
    recording.allocate(0x1000, 8, 1);
    free(&mut recording, 0x2000);
    by_another(&mut recording, AccessedBy::Overwritten, 0x200a, 1);
    let changed =
        "1 byte changed from outside just past the end of a block of 10 bytes, found afterwards";
    assert_eq!(told(recording), [(Code::BlockOverwritten, changed.to_owned())]);
}

/// One loop that runs past the end of a block, over all that is behind it.
#[test]
fn what_one_instruction_goes_over_is_one_finding() {
    let mut recording = recording_of(true);
    recording.allocate(0x2000, 8, 1);
    recording.allocate(0x2020, 8, 2);
    let read = instructions()[0];
    for address in [0x2008, 0x200c, 0x201c, 0x2028, 0x9000] {
        access(&mut recording, read, address);
    }
    let message = "4 bytes read just past the end of a block of 8 bytes; 5 times";
    assert_eq!(told(recording), [(Code::HeapOverflow, message.to_owned())]);
}

/// The same where some of that is freed; what another instruction does to a freed block is another bug.
#[test]
fn what_leaves_a_block_goes_on_through_freed_ones() {
    let told_of = |instruction: usize| {
        let mut recording = recording_of(true);
        for (address, context) in [(0x2000, 1), (0x2010, 1), (0x2030, 1)] {
            recording.allocate(address, 8, context);
        }
        free(&mut recording, 0x2010);
        let [read, _] = instructions();
        access(&mut recording, instructions()[instruction], 0x2010);
        access(&mut recording, read, 0x2008);
        access(&mut recording, read, 0x200c);
        told(recording)
    };
    let message =
        "4 bytes read just past the end of a block of 8 bytes; 3 times, also in freed blocks";
    assert_eq!(told_of(0), [(Code::HeapOverflow, message.to_owned())]);
    let codes: Vec<Code> = told_of(1).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::UseAfterFree, Code::HeapOverflow]);
}

/// It is not the same instruction, nor the same block.
#[test]
fn two_bugs_of_one_function_are_two_findings() {
    let mut recording = recording_of(true);
    recording.allocate(0x2000, 8, 1);
    recording.allocate(0x3000, 8, 2);
    let [read, write] = instructions();
    access(&mut recording, read, 0x2008);
    access(&mut recording, write, 0x3000);
    let codes: Vec<Code> = told(recording).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::HeapOverflow, Code::HeapOverflow]);
}

#[test]
fn where_some_are_not_told_the_number_is_the_least() {
    let mut recording = recording_of(true);
    recording.allocate(0x2000, 8, 1);
    access(&mut recording, instructions()[0], 0x2008);
    access(&mut recording, instructions()[0], 0x2008);
    by_another(&mut recording, AccessedBy::Untold, 0, 0);
    let message = "4 bytes read just past the end of a block of 8 bytes; 2 times or more";
    assert_eq!(told(recording), [(Code::HeapOverflow, message.to_owned())]);
}

/// The checks' own state is of another time then.
#[test]
fn what_comes_after_a_snapshot_is_not_judged() {
    let mut recording = recording_of(true);
    recording.host_stacks(&["app.mjs:3"]);
    recording.allocate(0x2000, 8, 1);
    let [read, write] = instructions();
    access(&mut recording, read, 0x2008);
    let overwritten = HostRecord::Overwritten { memory: 0, stack: HostStackId(0) };
    recording.0.record(&Record::Host(overwritten));
    access(&mut recording, write, 0x3000);
    access(&mut recording, read, 0x2008);
    access(&mut recording, write, 0);
    let report = recording.finish().report().unwrap();
    let codes: Vec<Code> = report.findings.iter().map(|finding| finding.code).collect();
    let expected = [Code::AccessesUnchecked, Code::HeapOverflow, Code::NullAccess];
    assert!(expected.iter().all(|code| codes.contains(code)), "{report}");
    assert!(!codes.contains(&Code::UnallocatedAccess), "{report}");
    let overflow = report.findings.iter().find(|finding| finding.code == Code::HeapOverflow);
    assert_eq!(overflow.unwrap().numbers["times"], 1, "{report}");
}
