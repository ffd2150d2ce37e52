//! Short memory, chosen failures, too little time, missing imports.

use std::time::{Duration, Instant};

use linmem::allocator::Role;
use linmem::report::{Code, EndReport};
use linmem::trace::Buffer;
use linmem::{ErrorKind, Prepared, Result, Trace};
use linmem_wasmtime::{Exit, Run, Stopper, Stub, Val};

use crate::support::{Program, assemble, guest, observe, only_finding};

const ABORT: &str = "wasm trap: wasm `unreachable` instruction executed";

/// Of the five allocations of `clean`, each in turn.
#[test]
fn the_nth_allocation_of_clean_fails() {
    let wasm = guest("clean.wasm");
    // Allocations, reallocations, frees, bytes in all, and whether the program goes on.
    let expected = [
        // Without the first block, realloc(NULL, 800) allocates one.
        (4, 0, 4, 400 + 800 + 2 * 136, true),
        (1, 1, 0, 100 + 800, false),
        (2, 0, 0, 100 + 400, false),
        (2, 1, 0, 100 + 400 + 800, false),
        (3, 1, 3, 100 + 400 + 800 + 136, false),
    ];
    for (nth, (allocations, reallocations, frees, bytes, goes_on)) in (1..).zip(expected) {
        let observed = observe(Program::new(&wasm).to_run().fail_alloc(nth));
        let totals = observed.report.totals;
        let counts = (totals.allocations, totals.reallocations, totals.frees);
        assert_eq!(counts, (allocations, reallocations, frees), "allocation {nth} fails");
        assert_eq!((totals.failed, totals.allocated_bytes), (1, bytes), "allocation {nth} fails");
        let exit = if goes_on { Exit::Code(0) } else { Exit::Trap(ABORT.to_owned()) };
        assert_eq!(observed.outcome.exit, exit, "allocation {nth} fails");
        let finding = only_finding(&observed.report, Code::AllocationFailed);
        assert!(finding.message.contains("memory was not grown"), "{finding:?}");
        assert!(!observed.report.has_errors());
    }
}

#[test]
fn a_failure_after_the_last_allocation_never_comes() {
    let wasm = guest("clean.wasm");
    let observed = observe(Program::new(&wasm).to_run().fail_alloc(6));
    assert!(observed.report.findings.is_empty());
    assert_eq!(observed.report.totals.failed, 0);
    assert_eq!(observed.report.totals.allocations, 4);
}

/// `null_handled` stops at the first failure, whichever it is, and frees what it has.
#[test]
fn the_nth_allocation_of_null_handled_fails() {
    let wasm = guest("null_handled.wasm");
    for nth in 1..=17 {
        let observed = observe(Program::new(&wasm).to_run().fail_alloc(nth));
        let totals = observed.report.totals;
        assert_eq!((totals.allocations, totals.frees), (nth - 1, nth - 1));
        assert_eq!(totals.failed, u64::from(nth <= 16));
        assert_eq!(totals.at_peak.bytes, 30_000 * (nth - 1));
        let message = match nth {
            17 => "all messages stored\n",
            _ => "out of memory, some messages were dropped\n",
        };
        assert_eq!(observed.stdout(), message);
        assert_eq!(observed.outcome.exit, Exit::Code(0));
    }
}

/// The program that does not look writes through the one NULL that it gets.
#[test]
fn a_chosen_failure_that_is_ignored_is_found() {
    let wasm = guest("null_ignored.wasm");
    let observed = observe(Program::new(&wasm).to_run().fail_alloc(3));
    let finding = only_finding(&observed.report, Code::NullIgnored);
    assert_eq!((finding.numbers["times"], finding.numbers["low_memory_changed"]), (1, 5));
    let totals = observed.report.totals;
    assert_eq!((totals.allocations, totals.frees, totals.failed), (15, 15, 1));
}

/// A host that ignores NULL does what the guest of the story did: the write lands at address 0.
#[test]
fn a_host_that_ignores_null_is_found() {
    let wasm = guest("strings.wasm");
    let mut session = Run::new(&wasm).unwrap().max_pages(2).start().unwrap();
    let text = [vec![b'a'; 131_072], vec![0]].concat();
    let pointer = session.call("allocate", &[Val::I32(text.len() as i32)]).unwrap();
    assert_eq!(pointer[0].unwrap_i32(), 0);
    // As in JavaScript, where a typed array drops what lies outside it.
    session.memory().copy_from_slice(&text[..131_072]);
    let report = session.report().unwrap();
    let finding = only_finding(&report, Code::NullIgnored);
    assert_eq!(finding.numbers["bytes"], 131_073);
    assert_eq!(finding.numbers["low_memory_first"], 0);
    assert!(finding.numbers["low_memory_changed"] >= 1_024);
    assert_eq!((finding.numbers["pages"], report.totals.at_end.pages), (2, 2));
}

#[test]
fn a_program_that_does_not_end_is_stopped() {
    let wasm = assemble(r#"(module (memory 1) (func $spin (export "_start") (loop (br 0))))"#);
    let begun = Instant::now();
    let run = Program::new(&wasm).to_run().timeout(Duration::from_millis(200));
    let observed = observe(run);
    assert!(begun.elapsed() >= Duration::from_millis(200));
    let words = "stopped: the time allowed is over";
    assert_eq!(observed.outcome.exit, Exit::Trap(words.to_owned()));
    let Some(EndReport::Trap { message, stack }) = &observed.report.end else {
        panic!("{:?}", observed.report.end)
    };
    assert_eq!(message, words);
    assert_eq!(stack[0].function, "spin");
}

#[test]
fn a_program_that_ends_in_time_is_not_stopped() {
    let wasm = guest("clean.wasm");
    let observed = observe(Program::new(&wasm).to_run().timeout(Duration::from_secs(600)));
    assert_eq!(observed.outcome.exit, Exit::Code(0));
    assert_eq!(observed.report.totals.allocations, 4);
}

const WITH_IMPORTS: &str = r#"(module
    (import "env" "first" (func $first (param i32)))
    (import "env" "second" (func))
    (import "other" "limit" (global i32))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") (call $exit (i32.const 5))))"#;

fn kind_and_text<T>(result: Result<T>) -> (ErrorKind, String) {
    let error = result.err().expect("an error");
    (error.kind(), error.to_string())
}

#[test]
fn all_missing_imports_are_named_at_once() {
    let wasm = assemble(WITH_IMPORTS);
    let (kind, text) = kind_and_text(Run::new(&wasm).unwrap().run());
    assert_eq!(kind, ErrorKind::MissingImports);
    for import in ["`env.first` (function)", "`env.second` (function)", "`other.limit` (global)"] {
        assert!(text.contains(import), "{text}");
    }
    assert!(!text.contains("proc_exit"), "{text}");
}

/// Stubs are functions; they trap only when they are called.
#[test]
fn missing_functions_can_be_stubbed() {
    let wat = WITH_IMPORTS.replace(r#"(import "other" "limit" (global i32))"#, "");
    let wasm = assemble(&wat);
    let observed = observe(Run::new(&wasm).unwrap().stub_imports(Stub::Trap));
    assert_eq!(observed.outcome.exit, Exit::Code(5));

    let calls = wat.replace("(call $exit (i32.const 5))", "(call $first (i32.const 1))");
    let wasm = assemble(&calls);
    let observed = observe(Run::new(&wasm).unwrap().stub_imports(Stub::Trap));
    let Exit::Trap(why) = &observed.outcome.exit else { panic!("{:?}", observed.outcome.exit) };
    assert!(why.contains("env::first") || why.contains("env.first"), "{why}");
}

/// Stubs can return a number instead: zero, or what is said for a function.
#[test]
fn stubs_return_what_they_are_told_to() {
    let wat = r#"(module
        (import "env" "id" (func $id (result i32)))
        (import "other" "id" (func $other (result i64 f64)))
        (import "env" "tell" (func $tell (param i32)))
        (import "env" "emscripten_notify_memory_growth" (func $grown (param i32)))
        (memory (export "memory") 1)
        (func (export "sum") (result i32) (local i64)
          (call $tell (i32.const 1)) (call $grown (i32.const 0))
          (i32.trunc_f64_s (call $other)) (local.set 0 (i64.extend_i32_s)) (drop)
          (i32.add (call $id) (i32.wrap_i64 (local.get 0)))))"#;
    let wasm = assemble(wat);
    let sum = |run: Run<'_>| run.start().unwrap().call("sum", &[]).unwrap()[0].unwrap_i32();
    let run = || Run::new(&wasm).unwrap().stub_imports(Stub::Zero);
    assert_eq!(sum(run()), 0);
    assert_eq!(sum(run().stub("id", 7)), 14);
    assert_eq!(sum(run().stub("id", 7).stub("other.id", 1)), 8);
    let named = Run::new(&wasm).unwrap().stub("id", 7).stub("env.tell", 0);
    assert_eq!(sum(named), 14);
    let (kind, text) = kind_and_text(Run::new(&wasm).unwrap().stub("id", 7).run());
    assert_eq!(kind, ErrorKind::MissingImports);
    assert!(text.contains("`env.tell`") && !text.contains("notify"), "{text}");
}

/// A memory that the module imports is made as it wants it.
#[test]
fn an_imported_memory_is_provided() {
    let wasm = assemble(
        r#"(module (import "env" "memory" (memory 2 5))
             (func $malloc (export "malloc") (param i32) (result i32) (i32.const 4096))
             (func (export "grow") (param i32) (result i32)
               (drop (call $malloc (i32.const 10))) (memory.grow (local.get 0))))"#,
    );
    let mut session = Run::new(&wasm).unwrap().start().unwrap();
    let mut grow = |pages| session.call("grow", &[Val::I32(pages)]).unwrap()[0].unwrap_i32();
    assert_eq!([grow(3), grow(1)], [2, -1]);
    let report = session.report().unwrap();
    assert_eq!((report.memories[0].initial_pages, report.memories[0].max_pages), (2, Some(5)));
    assert_eq!(report.totals.at_end.pages, 5);
}

/// A command that allocates, and then sleeps for a minute, reads its input, or goes on for ever.
fn waiting(how: &str) -> Vec<u8> {
    assemble(&format!(
        r#"(module
             (import "wasi_snapshot_preview1" "poll_oneoff"
               (func $poll (param i32 i32 i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "fd_read"
               (func $read (param i32 i32 i32 i32) (result i32)))
             (memory (export "memory") 1)
             (data (i32.const 24) "\00\58\47\f8\0d\00\00\00") ;; 60 seconds
             (func $malloc (export "malloc") (param i32) (result i32) (i32.const 4096))
             (func $free (export "free") (param i32))
             (func (export "_start") (drop (call $malloc (i32.const 99))) {how}))"#
    ))
}

const SLEEPS: &str =
    "(drop (call $poll (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))";
const RUNS: &str = "(loop (br 0))";
const ALLOCATES: &str = "(loop (call $free (call $malloc (i32.const 8))) (br 0))";

#[test]
fn time_ends_a_program_that_waits() {
    for how in [SLEEPS, RUNS, ALLOCATES] {
        let wasm = waiting(how);
        let started = Instant::now();
        let observed = observe(Run::new(&wasm).unwrap().timeout(Duration::from_millis(200)));
        assert!(started.elapsed() < Duration::from_secs(30), "{how}");
        let stopped = Exit::Trap("stopped: the time allowed is over".to_owned());
        assert_eq!(observed.outcome.exit, stopped, "{how}");
        assert!(observed.report.totals.allocations >= 1, "{how}");
    }
}

/// Whatever it does but run without an allocation, and without a timeout.
#[test]
fn another_thread_stops_a_program() {
    for how in [SLEEPS, ALLOCATES] {
        let wasm = waiting(how);
        let stopper = Stopper::default();
        let run = Run::new(&wasm).unwrap().stopper(stopper.clone());
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            stopper.stop("interrupted");
            stopper.stop("again");
        });
        let observed = observe(run);
        other.join().unwrap();
        assert_eq!(observed.outcome.exit, Exit::Trap("stopped: interrupted".to_owned()), "{how}");
        assert!(observed.report.totals.allocations >= 1, "{how}");
    }
}

/// Before it starts is early enough, and a session ends too.
#[test]
fn a_program_can_be_stopped_before_it_starts() {
    let wasm = waiting(RUNS);
    let stopper = Stopper::default();
    stopper.stop("interrupted");
    let observed = observe(Run::new(&wasm).unwrap().stopper(stopper.clone()));
    assert_eq!(observed.outcome.exit, Exit::Trap("stopped: interrupted".to_owned()));

    let stopper = Stopper::default();
    let mut session = Run::new(&wasm).unwrap().stopper(stopper.clone()).start().unwrap();
    session.call("malloc", &[Val::I32(8)]).unwrap();
    stopper.stop("enough");
    let error = session.call("malloc", &[Val::I32(8)]).unwrap_err();
    assert!(error.to_string().contains("stopped: enough"), "{error}");
    assert_eq!(session.report().unwrap().totals.allocations, 1);
}

/// Sleeping takes its time, and says that it is over.
#[test]
fn a_program_that_sleeps_wakes_up() {
    let wasm = waiting(
        "(i64.store (i32.const 24) (i64.const 30000000)) (i64.store (i32.const 0) (i64.const 7)) \
         (if (i32.or (call $poll (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)) \
               (i32.or (i64.ne (i64.load (i32.const 100)) (i64.const 7)) \
                 (i32.ne (i32.load (i32.const 200)) (i32.const 1)))) \
           (then unreachable))",
    );
    let started = Instant::now();
    let observed = observe(Run::new(&wasm).unwrap());
    assert_eq!(observed.outcome.exit, Exit::Code(0));
    assert!(started.elapsed() >= Duration::from_millis(30));
}

#[test]
fn a_cap_below_the_initial_pages_is_refused() {
    let wasm = guest("clean.wasm");
    let (kind, text) = kind_and_text(Run::new(&wasm).unwrap().max_pages(1).run());
    assert_eq!(kind, ErrorKind::InvalidRequest);
    assert_eq!(text, "the module starts with 2 pages, which is more than the cap of 1");
    let observed = observe(Run::new(&wasm).unwrap().max_pages(2));
    assert_eq!(observed.memory().max_pages, Some(2));
}

/// The smaller of the two maxima holds.
#[test]
fn a_declared_maximum_below_the_cap_holds() {
    let wasm = assemble(
        r#"(module (memory 1 2)
             (func (export "_start")
               (drop (memory.grow (i32.const 1))) (drop (memory.grow (i32.const 1)))))"#,
    );
    let observed = observe(Run::new(&wasm).unwrap().max_pages(9));
    let memory = observed.memory();
    assert_eq!(memory.max_pages, Some(2));
    assert_eq!((memory.growth.growths, memory.growth.refused), (1, 1));
}

#[test]
fn hints_that_fit_no_function_are_refused() {
    let wasm = guest("clean.stripped.wasm");
    let hint = |role, name: &str| {
        kind_and_text(Prepared::new(&wasm, &vec![(role, name.to_owned())], None).map(drop))
    };
    let (kind, text) = hint(Role::Malloc, "no_such_function");
    assert_eq!(kind, ErrorKind::InvalidRequest);
    assert!(text.contains("no function `no_such_function`"), "{text}");
    let (kind, text) = hint(Role::Malloc, "_start");
    assert_eq!(kind, ErrorKind::InvalidRequest);
    assert!(text.contains("has type () -> (), which is not that of malloc"), "{text}");
    let (kind, _) = hint(Role::Free, "999999");
    assert_eq!(kind, ErrorKind::InvalidRequest);
}

/// A program that exits from inside a call leaves frames behind whose locals linmem cannot see.
#[test]
fn leaks_are_not_judged_after_an_exit_from_inside() {
    let wasm = assemble(
        r#"(module
             (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
             (memory (export "memory") 1)
             (func $malloc (export "malloc") (param i32) (result i32) (i32.const 4096))
             (func $work (drop (call $malloc (i32.const 8))) (call $exit (i32.const 0)))
             (func (export "work") (call $work)))"#,
    );
    let buffer = Buffer::default();
    let run = Run::new(&wasm).unwrap().trace_into(buffer.clone());
    let mut session = run.start().unwrap();
    let ended = session.call("work", &[]).unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Engine);
    let again = session.call("work", &[]).unwrap_err();
    assert!(again.to_string().contains("the instance has ended"), "{again}");
    let report = session.report().unwrap();
    only_finding(&report, Code::NotJudged);
    let outcome = session.finish().unwrap();
    assert_eq!(outcome.exit, Exit::Code(0));
    let report = linmem::analyze(&Trace::from_bytes(buffer.take())).unwrap();
    only_finding(&report, Code::NotJudged);
}
