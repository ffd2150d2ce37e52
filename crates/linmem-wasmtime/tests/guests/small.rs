//! What no compiler's output shows, in guests of a few lines.

use linmem::allocator::{Evidence, Role};
use linmem::instrument::Mode;
use linmem::report::{Code, Finding, MemoryReport, Report, Severity};
use linmem_wasmtime::{Exit, Run, Session, Stub, Val};

use crate::support::{Program, assemble, observe, only_finding, only_instance, only_memory};

/// An allocator that only ever moves on and grows the memory, in a memory whose addresses are
/// `i32` or `i64`; with `rest` in the same module.
fn with_allocator(address: &str, memories: &str, rest: &str) -> Vec<u8> {
    assemble(
        &r#"(module
            MEMORIES
            (global $next (mut ADDRESS) (ADDRESS.const 4096))
            (func $malloc (export "malloc") (param $size ADDRESS) (result ADDRESS)
              (local $block ADDRESS) (local $end ADDRESS) (local $pages ADDRESS)
              (local.set $block (global.get $next))
              (local.set $end (ADDRESS.add (global.get $next) (local.get $size)))
              (local.set $pages (ADDRESS.shr_u
                (ADDRESS.add (local.get $end) (ADDRESS.const 65535)) (ADDRESS.const 16)))
              (if (ADDRESS.gt_u (local.get $pages) (memory.size))
                (then (if (ADDRESS.eq (ADDRESS.const -1)
                    (memory.grow (ADDRESS.sub (local.get $pages) (memory.size))))
                  (then (return (ADDRESS.const 0))))))
              (global.set $next (local.get $end))
              (local.get $block))
            (func $free (export "free") (param ADDRESS))
            REST)"#
            .replace("MEMORIES", memories)
            .replace("REST", rest)
            .replace("ADDRESS", address),
    )
}

fn start(wasm: &[u8]) -> Session<'_> {
    Run::new(wasm).unwrap().start().unwrap()
}

fn report(session: &mut Session) -> Report {
    session.report().unwrap()
}

fn call(session: &mut Session, export: &str, arguments: &[Val]) {
    session.call(export, arguments).unwrap();
}

fn definite_and_reachable(memory: &MemoryReport) -> [(u64, u64); 2] {
    let leaks = &memory.leaks;
    [leaks.definite, leaks.reachable].map(|held| (held.blocks, held.bytes))
}

/// Sizes, pointers and pages have 64 bits, in the hooks and in the mark.
#[test]
fn a_64_bit_memory() {
    let wasm = with_allocator(
        "i64",
        "(memory i64 1 3)",
        r#"(func (export "keep") (param $size i64)
             (i64.store (i64.const 8) (call $malloc (local.get $size))))
           (func (export "lose") (param $size i64) (drop (call $malloc (local.get $size))))"#,
    );
    let mut session = start(&wasm);
    call(&mut session, "keep", &[Val::I64(100_000)]);
    call(&mut session, "lose", &[Val::I64(1_000)]);
    const HUGE: u64 = 5 << 32;
    let failed = session.call("malloc", &[Val::I64(HUGE as i64)]).unwrap();
    assert_eq!(failed[0].unwrap_i64(), 0);
    let report = report(&mut session);
    let memory = only_memory(&report);
    assert_eq!(report.totals.allocations, 2);
    assert_eq!(report.totals.failed, 1);
    assert_eq!(report.totals.at_end.bytes, 101_000);
    assert_eq!(only_finding(&report, Code::AllocationFailed).numbers["bytes"], HUGE);
    assert_eq!(definite_and_reachable(memory), [(1, 1_000), (1, 100_000)]);
    assert_eq!((memory.growth.growths, memory.growth.refused), (1, 1));
    assert_eq!(memory.growth.log[0].pages_after, Some(2));
    assert_eq!(memory.growth.log[1].delta_pages, (HUGE + 4_096 + 101_000).div_ceil(65_536) - 2);
    assert_eq!((memory.totals.at_end.pages, session.pages()), (2, 2));
}

/// Only memory 0 is watched, and the report says so.
#[test]
fn a_second_memory() {
    let wasm = with_allocator(
        "i32",
        "(memory 1) (memory $other 1)",
        r#"(func (export "grow_other") (drop (memory.grow $other (i32.const 5))))"#,
    );
    let mut session = start(&wasm);
    call(&mut session, "malloc", &[Val::I32(65_536)]);
    call(&mut session, "grow_other", &[]);
    let report = report(&mut session);
    let memory = only_memory(&report);
    assert_eq!(only_instance(&report).other_memories, 1);
    assert_eq!(memory.growth.growths, 1);
    assert_eq!(memory.totals.at_end.pages, 2);
    assert_eq!(report.totals.at_end.bytes, 65_536);
}

/// A host of the original module could not look into it; linmem can.
#[test]
fn a_memory_that_is_not_exported() {
    let wasm = with_allocator(
        "i32",
        "(memory 1)",
        r#"(func (export "run")
             (i32.store (i32.const 16) (call $malloc (i32.const 24)))
             (drop (call $malloc (i32.const 40))))"#,
    );
    let mut session = start(&wasm);
    call(&mut session, "run", &[]);
    assert_eq!(definite_and_reachable(only_memory(&report(&mut session))), [(1, 40), (1, 24)]);
    assert_eq!(session.pages(), 1);
}

/// The start function runs before anybody can call anything.
#[test]
fn a_start_function_that_allocates() {
    let wasm = with_allocator(
        "i32",
        r#"(memory (export "memory") 1)"#,
        r#"(global $table (mut i32) (i32.const 0))
           (func $init (global.set $table (call $malloc (i32.const 70000))))
           (start $init)"#,
    );
    let mut session = start(&wasm);
    let first = report(&mut session);
    let memory = only_memory(&first);
    assert_eq!((first.totals.allocations, first.totals.at_end.bytes), (1, 70_000));
    assert_eq!(definite_and_reachable(memory), [(0, 0), (1, 70_000)]);
    assert_eq!((memory.initial_pages, memory.totals.at_end.pages), (1, 2));
    assert!(only_instance(&first).calls.is_empty());
    call(&mut session, "malloc", &[Val::I32(8)]);
    assert_eq!(report(&mut session).totals.at_end.bytes, 70_008);
}

#[test]
fn a_start_function_that_traps() {
    let wasm = with_allocator(
        "i32",
        "(memory 1)",
        r#"(func $init (drop (call $malloc (i32.const 8))) unreachable) (start $init)"#,
    );
    let observed = observe(Program::new(&wasm).to_run());
    let unreachable = "wasm trap: wasm `unreachable` instruction executed";
    assert_eq!(observed.outcome.exit, Exit::Trap(unreachable.to_owned()));
    assert_eq!(observed.report.totals.allocations, 1);
    assert!(observed.memory().leaks.not_judged.is_some());
}

/// `_initialize` of a reactor is called before the session is handed out.
#[test]
fn an_initializer_that_allocates() {
    let wasm = with_allocator(
        "i32",
        "(memory 1)",
        r#"(func (export "_initialize") (drop (call $malloc (i32.const 12))))"#,
    );
    let mut session = start(&wasm);
    let report = report(&mut session);
    assert_eq!(report.totals.at_end.bytes, 12);
    assert_eq!(only_instance(&report).calls, [("_initialize".to_owned(), 1)]);
}

/// A pointer in static memory keeps a block; what only the host has is host-held; and a block
/// that was returned once but is kept by the guest too is nobody's leak.
#[test]
fn who_holds_a_block() {
    let wasm = with_allocator(
        "i32",
        "(memory 1)",
        r#"(func (export "kept_and_returned") (result i32)
             (i32.store (i32.const 32) (call $malloc (i32.const 10)))
             (i32.load (i32.const 32)))
           (func (export "forget") (i32.store (i32.const 32) (i32.const 0)))
           (func (export "returned") (result i32) (call $malloc (i32.const 20)))
           (func (export "lost") (drop (call $malloc (i32.const 30))))"#,
    );
    let mut session = start(&wasm);
    for export in ["kept_and_returned", "returned", "lost"] {
        call(&mut session, export, &[]);
    }
    let held = |report: &Report| {
        let leaks = &only_memory(report).leaks;
        [leaks.reachable.bytes, leaks.host_held.bytes, leaks.definite.bytes]
    };
    assert_eq!(held(&report(&mut session)), [10, 20, 30]);
    call(&mut session, "forget", &[]);
    assert_eq!(held(&report(&mut session)), [0, 30, 30]);
}

/// Imported allocator functions are hooked like others. Nobody provides these, so the first call
/// ends the program, and nothing may be counted.
#[test]
fn an_imported_allocator() {
    let wasm = assemble(
        r#"(module
             (import "env" "malloc" (func $malloc (param i32) (result i32)))
             (import "env" "free" (func $free (param i32)))
             (memory 1)
             (func (export "_start") (call $free (call $malloc (i32.const 8)))))"#,
    );
    let observed = observe(Run::new(&wasm).unwrap().stub_imports(Stub::Trap));
    assert!(
        matches!(&observed.outcome.exit, Exit::Trap(why) if why.contains("env") && why.contains("malloc"))
    );
    let hooked = &observed.instance().coverage.hooked;
    let expected = [(0, Role::Malloc, "malloc"), (1, Role::Free, "free")];
    let expected =
        expected.map(|(f, role, name)| (f, role, Evidence::NameSection(name.to_owned())));
    let hooked: Vec<_> = hooked.iter().map(|f| (f.function, f.role, f.evidence.clone())).collect();
    assert_eq!(hooked, expected);
    let totals = observed.report.totals;
    let mut nothing = linmem::report::Totals::default();
    (nothing.at_end, nothing.at_peak) = (totals.at_end, totals.at_peak);
    assert_eq!(totals, nothing);
    assert_eq!(observed.report.totals.at_end.blocks, 0);
}

/// A module in which `make` allocates past the hooks, as inlined allocator code does: freeing
/// what it returned is not an error.
#[test]
fn blocks_from_unseen_code_can_be_freed() {
    let wasm = assemble(
        r#"(module
             (memory 1)
             (global $next (mut i32) (i32.const 4096))
             (global $own (mut i32) (i32.const 65536))
             (func (export "allocate") (param i32) (result i32)
               (if (i32.lt_u (memory.size) (i32.const 2)) (then (drop (memory.grow (i32.const 1)))))
               (global.set $next (i32.add (global.get $next) (local.get 0)))
               (i32.sub (global.get $next) (local.get 0)))
             (func (export "make") (result i32)
               (if (i32.lt_u (memory.size) (i32.const 2)) (then (drop (memory.grow (i32.const 1)))))
               (global.set $own (i32.add (global.get $own) (i32.const 50)))
               (i32.sub (global.get $own) (i32.const 50)))
             (func (export "deallocate") (param i32)))"#,
    );
    let mut session = start(&wasm);
    let made = session.call("make", &[]).unwrap();
    call(&mut session, "deallocate", &made);
    let first = report(&mut session);
    assert_eq!(only_instance(&first).coverage.unseen.len(), 1, "{first}");
    assert!(!first.has_errors(), "{first}");
    assert_eq!(only_finding(&first, Code::InvalidFree).severity, Severity::Warning);
    // What was freed twice may have been handed out by `make` in between.
    let seen = session.call("allocate", &[Val::I32(8)]).unwrap();
    call(&mut session, "deallocate", &seen);
    call(&mut session, "deallocate", &seen);
    let second = report(&mut session);
    assert_eq!(only_finding(&second, Code::DoubleFree).severity, Severity::Warning);
    // A pointer into a block that is alive has no such excuse.
    let seen = session.call("allocate", &[Val::I32(8)]).unwrap()[0].unwrap_i32();
    call(&mut session, "deallocate", &[Val::I32(seen + 4)]);
    assert!(report(&mut session).has_errors());
}

/// A library without names that exports its allocator through functions that `wasm-ld` made: what
/// calls `malloc` inside is seen as well.
#[test]
fn exports_that_only_pass_on_are_looked_through() {
    let wasm = assemble(
        r#"(module
             (memory 1)
             (global (mut i32) (i32.const 4096))
             (func (param i32) (result i32)
               (drop (memory.grow (i32.const 1)))
               (global.set 0 (i32.add (global.get 0) (local.get 0)))
               (i32.sub (global.get 0) (local.get 0)))
             (func (param i32))
             (func)
             (func (param i32) (result i32) (call 0 (local.get 0)))
             (func (export "malloc") (param i32) (result i32)
               (call 2) (call 3 (local.get 0)) (call 2))
             (func (export "free") (param i32) (call 2) (call 1 (local.get 0)) (call 2))
             (func (export "copy") (result i32) (call 3 (i32.const 9))))"#,
    );
    let mut session = start(&wasm);
    let own = session.call("malloc", &[Val::I32(5)]).unwrap();
    let copy = session.call("copy", &[]).unwrap();
    assert_eq!(session.live_bytes().unwrap(), 14);
    call(&mut session, "free", &copy);
    call(&mut session, "free", &own);
    let report = report(&mut session);
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!((report.totals.allocations, report.totals.frees), (2, 2));
    assert!(only_instance(&report).coverage.unseen.is_empty(), "{report}");
}

/// As in interpreters: all calls inside a recursion go through a table, and what is called is
/// sometimes recursive and sometimes not. Each caller's blocks stay its own.
#[test]
fn indirect_calls_inside_a_recursion_are_told_apart() {
    let wasm = with_allocator(
        "i32",
        "(memory 1)",
        r#"(type $step (func (param i32)))
           (table 2 funcref) (elem (i32.const 0) $make $descend)
           (func $make (type $step) (drop (call $malloc (i32.const 24))))
           (func $new (type $step)
             (call_indirect (type $step) (local.get 0) (i32.const 0)))
           (func $left (type $step) (call $new (local.get 0)))
           (func $right (type $step) (call $new (local.get 0)) (call $new (local.get 0)))
           (func $descend (type $step) (call $evaluate (i32.sub (local.get 0) (i32.const 1))))
           (func $evaluate (export "evaluate") (type $step)
             (if (local.get 0) (then
               (call $left (local.get 0))
               (call $right (local.get 0))
               (call_indirect (type $step) (local.get 0) (i32.const 1)))))"#,
    );
    const LEVELS: u64 = 200;
    let mut session = start(&wasm);
    call(&mut session, "evaluate", &[Val::I32(LEVELS as i32)]);
    let report = report(&mut session);
    let lost_by = |function: &str| -> u64 {
        let stack_of = |finding: &Finding| finding.stacks[0].stack.clone();
        let lost = report.findings.iter().filter(|finding| finding.code == Code::LeakDefinite);
        lost.filter(|finding| stack_of(finding).iter().any(|frame| frame.function == function))
            .map(|finding| finding.numbers["blocks"])
            .sum()
    };
    assert_eq!((lost_by("left"), lost_by("right")), (LEVELS, 2 * LEVELS));
    assert!(report.findings.len() < 30, "recursion is folded:\n{report}");
}

/// `posix_memalign` of dlmalloc, whose error no caller looks at, so that the compiler has dropped it. What stands where the result
/// belongs is not touched where it fails.
#[test]
fn posix_memalign_without_its_error() {
    let wasm = assemble(
        r#"(module (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 4096))
            (func $malloc (param i32) (result i32)
              (if (i32.le_u (local.get 0) (i32.const 244)) (then
                (i32.store (i32.const 2000) (i32.load (i32.const 2004)))
                (i32.store (i32.const 2004) (i32.load (i32.const 2000)))
                (i32.store (i32.const 2008) (i32.load (i32.const 2012)))
                (i32.store (i32.const 2012) (i32.load (i32.const 2008)))))
              (if (i32.ge_u (local.get 0) (i32.const -64)) (then (return (i32.const 0))))
              (if (i32.gt_u (local.get 0) (i32.const 60000)) (then (drop (memory.grow (i32.const 0))) (return (i32.const 0))))
              (global.get $next)
              (global.set $next (i32.add (global.get $next)
                (i32.and (i32.add (local.get 0) (i32.const 11)) (i32.const -8)))))
            (func $free (param i32)
              (i32.store (i32.const 2000)
                (i32.and (i32.load (i32.add (local.get 0) (i32.const -4))) (i32.const -8)))
              (i32.store (i32.const 2004) (i32.load (i32.const 2000)))
              (i32.store (i32.const 2008) (i32.load (i32.const 2012)))
              (i32.store (i32.const 2012) (i32.load (i32.const 2008))))
            (func $memalign (param i32 i32 i32) (local $block i32)
              (if (i32.ge_u (local.get 2) (i32.sub (i32.const -64) (local.get 1))) (then (return)))
              (local.set $block (call $malloc (i32.add (i32.add
                (i32.and (i32.add (local.get 2) (i32.const 11)) (i32.const -8)) (local.get 1)) (i32.const 12))))
              (if (local.get $block) (then (i32.store (local.get 0)
                (i32.and (i32.add (local.get $block) (i32.const 63)) (i32.const -64))))))
            (func (export "aligned") (param $size i32) (result i32)
              (i32.store (i32.const 1024) (i32.const 77))
              (call $memalign (i32.const 1024) (i32.const 64) (local.get $size))
              (i32.load (i32.const 1024)))
            (func (export "free") (param i32) (call $free (local.get 0))))"#,
    );
    let runs = [Mode::record(None), Mode::check(None), Mode::record(Some(1))];
    for (mode, fails) in runs.into_iter().zip([false, false, true]) {
        let mut session = Run::new(&wasm).unwrap().mode(mode).start().unwrap();
        let mut aligned =
            |size| session.call("aligned", &[Val::I32(size)]).unwrap()[0].unwrap_i32();
        assert_eq!(aligned(100), if fails { 77 } else { 4096 });
        assert_eq!(aligned(70_000), 77);
        assert_eq!(aligned(-1000), 77);
        let report = report(&mut session);
        let totals = &only_memory(&report).totals;
        let (allocations, failed) = (totals.allocations, totals.failed);
        assert_eq!((allocations, failed), if fails { (0, 3) } else { (1, 2) });
    }
}
