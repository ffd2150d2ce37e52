//! Checks of what the host reads and writes: with WASI, and by itself.

use linmem::Mode;
use linmem::report::{Code, Finding, Severity};
use linmem_wasmtime::{Exit, Run, Session, Val};
use wasmtime::{Caller, Engine, Extern, ExternType, Linker, Module, Store};

use crate::support::{assemble, observe};

/// `malloc` takes from an end that only moves on. `write` lets the host read so many bytes of the block at 4112, which has
/// eight.
const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (global $end (mut i32) (i32.const 4112))
    (global (export "__heap_base") i32 (i32.const 4096))
    (func $malloc (export "malloc") (param $size i32) (result i32)
        (global.get $end)
        (global.set $end (i32.and (i32.add (global.get $end) (i32.add (local.get $size) (i32.const 15)))
            (i32.const -16))))
    (func $free (export "free") (param i32))
    (func (export "write") (param $bytes i32) (result i32)
        (i32.store (i32.const 2048) (i32.const 4112))
        (i32.store (i32.const 2052) (local.get $bytes))
        (call $fd_write (i32.const 1) (i32.const 2048) (i32.const 1) (i32.const 2056)))
    (func (export "look") (param i32)))"#;

fn checked(wasm: &[u8]) -> Run<'_> {
    Run::new(wasm).unwrap().mode(Mode::check(None))
}

fn errors(findings: &[Finding]) -> Vec<(Code, &str)> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| (finding.code, &*finding.message)).collect()
}

#[test]
fn the_host_may_read_all_of_a_block_and_no_more() {
    let wasm = assemble(GUEST);
    for (bytes, is_right) in [(0, true), (8, true), (9, false), (-1, false)] {
        let mut session = checked(&wasm).start().unwrap();
        session.call("malloc", &[Val::I32(8)]).unwrap();
        // wasmtime may trap where a range is outside.
        let _ = session.call("write", &[Val::I32(bytes)]);
        let report = session.report().unwrap();
        let codes: Vec<Code> = errors(&report.findings).into_iter().map(|(code, _)| code).collect();
        let accesses = codes.iter().filter(|code| **code == Code::HostAccess).count();
        assert_eq!(accesses, usize::from(!is_right), "{bytes}: {report}");
    }
}

/// The program enters with the block's address, with another one, or frees the block.
#[test]
fn the_host_may_write_all_of_a_block_and_no_more() {
    let wasm = assemble(GUEST);
    for next in ["look", "write", "free"] {
        for (bytes, is_right) in [(8, true), (9, false), (12, false), (24, false)] {
            let mut session = checked(&wasm).start().unwrap();
            session.call("malloc", &[Val::I32(8)]).unwrap();
            session.memory()[4112..4112 + bytes].fill(b'x');
            let argument = if next == "write" { 0 } else { 4112 };
            session.call(next, &[Val::I32(argument)]).unwrap();
            session.call("look", &[Val::I32(4112)]).unwrap();
            let report = session.report().unwrap();
            let written: Vec<&str> = errors(&report.findings)
                .into_iter()
                .filter(|(code, _)| *code == Code::BlockOverwritten)
                .map(|(_, message)| message)
                .collect();
            let expected = format!(
                "{} changed from outside just past the end of a block of 8 bytes",
                linmem::units::bytes(bytes as u64 - 8)
            );
            if is_right {
                assert!(written.is_empty(), "{next} {bytes}: {report}");
            } else {
                // Told once.
                let [message] = written[..] else { panic!("{next} {bytes}: {report}") };
                assert!(message.starts_with(&expected), "{next} {bytes}: {message}");
                assert!(!message.contains("times"), "{next} {bytes}: {message}");
            }
        }
    }
}

/// `realloc` that lets an import write to where it has made a block larger.
#[test]
fn what_the_allocator_lets_an_import_write_is_right() {
    let wasm = assemble(
        r#"(module
             (import "wasi_snapshot_preview1" "environ_get" (func $copy (param i32 i32) (result i32)))
             (memory (export "memory") 1)
             (global (export "__heap_base") i32 (i32.const 4096))
             (func $calloc (export "calloc") (param i32 i32) (result i32) (i32.const 4096))
             (func $realloc (export "realloc") (param i32 i32) (result i32)
               (drop (call $copy (i32.const 1024) (local.get 0))) (local.get 0))
             (func $free (export "free") (param i32))
             (func (export "write") (param i32) (drop (call $copy (i32.const 1024) (local.get 0)))))"#,
    );
    for (larger, told) in [("realloc", 0), ("write", 1)] {
        let mut session = checked(&wasm).env("A", "12345678").start().unwrap();
        session.call("calloc", &[Val::I32(1), Val::I32(8)]).unwrap();
        let arguments = [Val::I32(4096), Val::I32(64)];
        session.call(larger, &arguments[..if larger == "write" { 1 } else { 2 }]).unwrap();
        let report = session.report().unwrap();
        let written = errors(&report.findings);
        let written = written.iter().filter(|(code, _)| *code == Code::BlockOverwritten);
        assert_eq!(written.count(), told, "{larger}: {report}");
    }
}

/// `aligned_alloc` takes only sizes that are multiples of the alignment, as C wants it. `write` stores a byte.
const ALIGNED: &str = r#"(module
    (memory (export "memory") 2)
    (global $end (mut i32) (i32.const 4160))
    (global (export "__heap_base") i32 (i32.const 4096))
    (func $aligned_alloc (export "aligned_alloc") (param $alignment i32) (param $size i32) (result i32)
        (if (i32.rem_u (local.get $size) (local.get $alignment)) (then (return (i32.const 0))))
        (global.get $end)
        (global.set $end (i32.add (global.get $end) (i32.and (i32.add (local.get $size) (i32.const 127)) (i32.const -64)))))
    (func $free (export "free") (param i32))
    (func (export "write") (param i32) (i32.store8 (local.get 0) (i32.const 1))))"#;

/// The program gets what it gets without checks, and each block has its redzone.
#[test]
fn sizes_for_aligned_alloc_stay_multiples_of_the_alignment() {
    let wasm = assemble(ALIGNED);
    let allocate = |session: &mut Session<'_>, alignment: i32, size: i32| {
        let results =
            session.call("aligned_alloc", &[Val::I32(alignment), Val::I32(size)]).unwrap();
        let Val::I32(block) = results[0] else { panic!("{results:?}") };
        block
    };
    let requests = [(64, 64), (64, 0), (24, 48), (1, 5), (4096, 8192), (1 << 25, 0), (64, 128)];
    let blocks = |mode: Mode| {
        let mut session = Run::new(&wasm).unwrap().mode(mode).start().unwrap();
        requests.map(|(alignment, size)| allocate(&mut session, alignment, size) != 0)
    };
    assert_eq!(blocks(Mode::check(None)), blocks(Mode::default()));
    assert_eq!(blocks(Mode::default()), requests.map(|_| true));
    // What is refused for its size does not become small.
    let mut session = checked(&wasm).start().unwrap();
    for size in [-1, i32::MAX] {
        assert_eq!(allocate(&mut session, 64, size), 0, "{size}");
    }
    for (past, expected) in [(63, None), (64, Some(Code::HeapOverflow))] {
        let mut session = checked(&wasm).start().unwrap();
        let block = allocate(&mut session, 64, 64);
        session.call("write", &[Val::I32(block + past)]).unwrap();
        let report = session.report().unwrap();
        let codes: Vec<Code> = errors(&report.findings).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, Vec::from_iter(expected), "{past}: {report}");
    }
    // The quarantine keeps what it has.
    let mut session = checked(&wasm).start().unwrap();
    let block = allocate(&mut session, 64, 64);
    session.call("free", &[Val::I32(block)]).unwrap();
    allocate(&mut session, 64, 64);
    session.call("write", &[Val::I32(block)]).unwrap();
    let report = session.report().unwrap();
    let codes: Vec<Code> = errors(&report.findings).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::UseAfterFree], "{report}");
}

/// `malloc` has one block of as many bytes as `limit` says, and writes of its own behind what it was asked for.
const LIMITED: &str = r#"(module
    (memory (export "memory") 2)
    (global $limit (mut i32) (i32.const 1024))
    (global (export "__heap_base") i32 (i32.const 4096))
    (func (export "limit") (param i32) (global.set $limit (local.get 0)))
    (func $malloc (export "malloc") (param $size i32) (result i32)
        (if (i32.gt_u (local.get $size) (global.get $limit)) (then (return (i32.const 0))))
        (i64.store (i32.add (i32.const 4116) (local.get $size)) (i64.const 0x1122334455667788))
        (i32.const 4112))
    (func $free (export "free") (param i32))
    (func (export "look") (param i32)))"#;

/// Also a block of no bytes, for which a redzone is all that is asked for.
#[test]
fn what_has_no_room_for_a_redzone_is_allocated_without_one() {
    let wasm = assemble(LIMITED);
    for size in [0, 8] {
        let mut session = checked(&wasm).start().unwrap();
        session.call("limit", &[Val::I32(8)]).unwrap();
        let results = session.call("malloc", &[Val::I32(size)]).unwrap();
        assert!(matches!(results[..], [Val::I32(4112)]), "{size}: {results:?}");
    }
}

/// The shadow still has the redzone of the block that was there before. What changes behind the new one is the allocator's.
#[test]
fn behind_a_block_without_a_redzone_nothing_is_overwritten() {
    let wasm = assemble(LIMITED);
    for (limit, told) in [(8, 0), (1024, 1)] {
        let mut session = checked(&wasm).start().unwrap();
        session.call("malloc", &[Val::I32(8)]).unwrap();
        session.call("free", &[Val::I32(4112)]).unwrap();
        session.call("limit", &[Val::I32(limit)]).unwrap();
        session.call("malloc", &[Val::I32(8)]).unwrap();
        session.call("look", &[Val::I32(4112)]).unwrap();
        session.memory()[4124..4132].fill(b'x');
        session.call("free", &[Val::I32(4112)]).unwrap();
        let report = session.report().unwrap();
        let written = errors(&report.findings);
        let written = written.iter().filter(|(code, _)| *code == Code::BlockOverwritten);
        assert_eq!(written.count(), told, "{limit}: {report}");
    }
}

/// What `read` is given; a static pointer that is NULL; and whatever else the module has. Its memory is the host's to lay out.
fn without_a_heap(rest: &str) -> String {
    format!(
        r#"(module
             (memory (export "memory") 2)
             (global $__stack_pointer (mut i32) (i32.const 65536))
             (data (i32.const 2048) "\00\00\00\00")
             (func (export "read") (param i32 i64 i32 f64 i32 i32) (result i32)
               (i32.load offset=12 (local.get 5)))
             (func (export "read_static") (param i32) (result i32)
               (i32.load offset=12 (i32.load (i32.const 2048))))
             (func (export "none") (drop (i32.load offset=12 (i32.load (i32.const 2048)))))
             {rest})"#
    )
}

fn near_null(report: &linmem::report::Report) -> usize {
    let errors = errors(&report.findings);
    errors.iter().filter(|(code, _)| *code == Code::NullAccess).count()
}

/// As argon2id does, whose last argument is a buffer at 0.
#[test]
fn the_host_may_have_a_buffer_at_address_0_where_all_pointers_come_from_it() {
    let calls = |wasm: &[u8], calls: &[(&str, &[Val])]| {
        let mut session = checked(wasm).start().unwrap();
        for (export, arguments) in calls {
            session.call(export, arguments).unwrap();
        }
        near_null(&session.report().unwrap())
    };
    let passing = |first: i32, last: i32| {
        let number = Val::F64(0);
        [Val::I32(first), Val::I64(7), Val::I32(3), number, Val::I32(9), Val::I32(last)]
    };
    let (zero, other) = (passing(4096, 0), passing(0, 16));
    let small = passing(4096, 16);
    let alone = assemble(&without_a_heap(""));
    assert_eq!(calls(&alone, &[("read", &zero), ("read", &other)]), 0);
    // Neither the half of an i64 nor a float is an address.
    assert_eq!(calls(&alone, &[("read", &small)]), 1);
    assert_eq!(calls(&alone, &[("read_static", &[Val::I32(0)])]), 0, "it may be the buffer");
    assert_eq!(calls(&alone, &[("read_static", &[Val::I32(4096)])]), 1);
    assert_eq!(calls(&alone, &[("read", &zero), ("none", &[])]), 1, "in a call of its own");
    // Where the module gets memory by itself, 0 is what an allocation gives that failed.
    for rest in [
        r#"(func $malloc (export "malloc") (param i32) (result i32) (i32.const 0))"#,
        r#"(func (export "more") (result i32) (memory.grow (i32.const 1)))"#,
    ] {
        assert_eq!(calls(&assemble(&without_a_heap(rest)), &[("read", &zero)]), 1, "{rest}");
    }
}

/// How many bad accesses a checked module tells of in each of these calls, which may trap. `env.enter` calls `read_static` with
/// another number, and `trap`.
fn told_in_each(wasm: &[u8], calls: &[(&str, i32)]) -> Vec<u32> {
    let prepared = linmem::Prepared::new(wasm, &Vec::new(), None).unwrap();
    let engine = Engine::default();
    let checked = prepared.instrument(&Mode::check(None)).unwrap().wasm;
    let module = Module::new(&engine, checked).unwrap();
    let mut linker: Linker<u32> = Linker::new(&engine);
    let enter = |mut caller: Caller<'_, u32>| {
        for (export, argument) in [("read_static", 4096), ("trap", 4096)] {
            let function = caller.get_export(export).and_then(Extern::into_func).unwrap();
            let mut results = [wasmtime::Val::I32(0)];
            let results = &mut results[..usize::from(export == "read_static")];
            let _ = function.call(&mut caller, &[wasmtime::Val::I32(argument)], results);
        }
    };
    linker.func_wrap("env", "enter", enter).unwrap();
    for import in module.imports().filter(|import| import.module() != "env") {
        let ExternType::Func(ty) = import.ty() else { panic!("{import:?}") };
        let hook = import.name().to_owned();
        let call = move |mut caller: Caller<'_, u32>, args: &[_], results: &mut [_]| {
            match &*hook {
                "bad_access" => *caller.data_mut() += 1,
                // The level is right.
                "entered" => results[0] = args[1],
                _ => {}
            }
            Ok(())
        };
        linker.func_new(import.module(), import.name(), ty, call).unwrap();
    }
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let told = calls.iter().map(|(export, argument)| {
        let function = instance.get_func(&mut store, export).unwrap();
        let mut results = vec![wasmtime::Val::I32(0); function.ty(&store).results().len()];
        let _ = function.call(&mut store, &[wasmtime::Val::I32(*argument)], &mut results);
        std::mem::take(store.data_mut())
    });
    told.collect()
}

/// What the host calls meanwhile may use the buffer as well, and a trap leaves nothing behind.
#[test]
fn a_buffer_at_address_0_is_there_in_that_call_and_those_inside_it() {
    let rest = r#"
        (func (export "outer") (param i32)
          (call $enter) (drop (i32.load offset=12 (i32.load (i32.const 2048)))))
        (func (export "trap") (param i32) unreachable)"#;
    let import = r#"(module (import "env" "enter" (func $enter))"#;
    let text = without_a_heap(rest).replacen("(module", import, 1);
    let calls = [
        ("outer", 0),
        ("outer", 4096),
        ("read_static", 0),
        ("read_static", 4096),
        ("trap", 0),
        ("read_static", 4096),
    ];
    assert_eq!(told_in_each(&assemble(&text), &calls), [0, 2, 0, 1, 0, 1]);
}

#[test]
fn a_program_can_be_stopped_at_its_first_error() {
    let wasm = assemble(
        r#"(module
             (memory (export "memory") 1)
             (func $early (drop (i32.load (i32.const 4))))
             (func $late (drop (i32.load (i32.const 8))))
             (func (export "_start") (call $early) (call $late))
             (data (i32.const 1024) "data"))"#,
    );
    let outcome = |stops: bool| {
        let observed = observe(checked(&wasm).stop_at_first(stops));
        (observed.outcome.exit, errors(&observed.report.findings).len())
    };
    let stopped = "stopped: at the first access that is not right".to_owned();
    assert_eq!(outcome(true), (Exit::Trap(stopped), 1));
    assert_eq!(outcome(false), (Exit::Code(0), 2));
}
