//! Hosts that make their stores, linkers and instances themselves.

#[path = "../../../examples/embed/main.rs"]
mod embed;
mod support;

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use linmem::Report;
use linmem::report::{AskedBy, Code, Finding};
use linmem_wasmtime::{Recording, Watched};
use support::{assemble, only_finding};
use wasmtime::{
    Caller, Config, Engine, Extern, Instance, Linker, Memory, MemoryType, Ref, RefType, Store,
    Table, TableType, TypedFunc,
};

/// What these hosts keep in their stores.
#[derive(Default)]
struct State {
    linmem: Recording,
    report: Option<Report>,
}

fn recording(state: &mut State) -> &mut Recording {
    &mut state.linmem
}

fn report(store: &mut Store<State>) -> Report {
    Recording::report(store, recording).unwrap()
}

/// An allocator in a memory that is declared as `memory` says. It keeps all it knows in that memory, so that
/// several instances can work on one.
fn with_allocator(memory: &str, rest: &str) -> Vec<u8> {
    assemble(&format!(
        r#"(module {memory}
             (func $malloc (export "malloc") (param $size i32) (result i32) (local $block i32)
               (local.set $block (i32.add (i32.const 4096) (i32.load (i32.const 2048))))
               (i32.store (i32.const 2048)
                 (i32.add (i32.load (i32.const 2048)) (local.get $size)))
               (local.get $block))
             (func $free (export "free") (param i32))
             {rest})"#
    ))
}

const OWN_MEMORY: &str = r#"(memory (export "memory") 1)"#;
const SHARED_MEMORY: &str = r#"(import "env" "memory" (memory 1))"#;

/// Loses a block of a given size, and keeps another.
const LOSE: &str = r#"
    (func $lose (export "lose") (param $size i32) (drop (call $malloc (local.get $size))))
    (func $trap (export "trap") (drop (call $malloc (i32.const 7))) unreachable)
    (func $deep (export "deep") (param $depth i32)
      (if (local.get $depth)
        (then (call $deep (i32.sub (local.get $depth) (i32.const 1))))
        (else (drop (call $malloc (i32.const 9))))))"#;

fn watch(engine: &Engine, wasm: &[u8], name: &str) -> Watched {
    let prepared = linmem::Prepared::new(wasm, &Vec::new(), None).unwrap();
    Watched::of(engine, &prepared, name).unwrap()
}

/// A linker with the hooks of these modules.
fn linker(engine: &Engine, watched: &[&Watched]) -> Linker<State> {
    let mut linker = Linker::new(engine);
    for watched in watched {
        watched.add_to_linker(&mut linker, recording).unwrap();
    }
    linker
}

fn function(store: &mut Store<State>, instance: Instance, name: &str) -> TypedFunc<u32, ()> {
    instance.get_typed_func(store, name).unwrap()
}

fn call(store: &mut Store<State>, instance: Instance, name: &str, argument: u32) {
    function(store, instance, name).call(store, argument).unwrap();
}

fn malloc(store: &mut Store<State>, instance: Instance, size: u32) -> u32 {
    let malloc = instance.get_typed_func::<u32, u32>(&mut *store, "malloc").unwrap();
    malloc.call(store, size).unwrap()
}

/// The names in the first stack of a finding.
fn stack(finding: &Finding) -> Vec<&str> {
    finding.stacks[0].stack.iter().map(|frame| frame.function.as_str()).collect()
}

/// Runs a future to its end; nothing in these tests waits for anything.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

#[test]
fn the_leak_of_a_plugin_is_named_with_the_host_function_that_made_it() {
    let wasm = assemble(include_str!("../../../examples/embed/leaky.wat"));
    let (plugin, report) = embed::greet(&Engine::default(), &wasm, 3).unwrap();
    assert_eq!(plugin.printed, "Hello, Ada!\n".repeat(3));
    let leak = &report.findings[0];
    assert_eq!((leak.numbers["blocks"], leak.numbers["bytes"]), (3, 12), "{report}");
    assert_eq!(stack(leak), ["malloc", "user_name", "greet"], "{report}");
    assert_eq!(report.findings.len(), 1, "{report}");
}

#[test]
fn nothing_is_said_of_a_healthy_plugin() {
    let wasm = assemble(include_str!("../../../examples/embed/healthy.wat"));
    let (plugin, report) = embed::greet(&Engine::default(), &wasm, 3).unwrap();
    assert_eq!(plugin.printed, "Hello, Ada!\n".repeat(3));
    assert!(report.findings.is_empty() && report.notes.is_empty(), "{report}");
    assert_eq!((report.totals.allocations, report.totals.frees), (3, 3));
}

#[test]
fn reports_can_be_had_between_calls() {
    let engine = Engine::default();
    let watched = watch(&engine, &with_allocator(OWN_MEMORY, LOSE), "lose.wasm");
    let mut store = Store::new(&engine, State::default());
    let instance = linker(&engine, &[&watched]).instantiate(&mut store, watched.module()).unwrap();
    assert!(report(&mut store).instances.is_empty());
    let block = malloc(&mut store, instance, 100);
    assert_eq!(report(&mut store).totals.at_end.bytes, 100);
    call(&mut store, instance, "free", block);
    assert_eq!(report(&mut store).totals.at_end.bytes, 0);
    call(&mut store, instance, "lose", 30);
    let report = report(&mut store);
    assert_eq!(report.program, "lose.wasm");
    assert!(!report.truncated && report.end.is_none());
    assert_eq!(stack(only_finding(&report, Code::LeakDefinite)), ["malloc", "lose"]);
}

/// Each has a heap of its own, though a linker gives the same hooks to both instances of a module.
#[test]
fn several_modules_and_instances_in_a_store() {
    let engine = Engine::default();
    let wasm = with_allocator(OWN_MEMORY, LOSE);
    let (one, two) = (watch(&engine, &wasm, "one.wasm"), watch(&engine, &wasm, "two.wasm"));
    let linker = linker(&engine, &[&one, &two]);
    // The second store shows that numbers belong to stores.
    for _ in 0..2 {
        let mut store = Store::new(&engine, State::default());
        let modules = [&one, &two, &one];
        let instances =
            modules.map(|watched| linker.instantiate(&mut store, watched.module()).unwrap());
        for (instance, size) in instances.into_iter().zip([1, 2, 3]) {
            call(&mut store, instance, "lose", size);
        }
        for (instance, size) in instances.into_iter().zip([10, 20, 30]) {
            call(&mut store, instance, "lose", size);
        }
        let report = report(&mut store);
        let names: Vec<_> = report.instances.iter().map(|i| i.module.as_str()).collect();
        assert_eq!(names, ["one.wasm", "two.wasm", "one.wasm"]);
        let lost: Vec<_> =
            report.memories.iter().map(|memory| memory.leaks.definite.bytes).collect();
        assert_eq!(lost, [11, 22, 33], "{report}");
        let users: Vec<_> = report.memories.iter().map(|memory| memory.users.clone()).collect();
        assert_eq!(users, [[0], [1], [2]]);
    }
}

/// What one of them allocates, the other may free.
#[test]
fn two_modules_that_import_one_memory_have_one_heap() {
    let engine = Engine::default();
    let wasm = with_allocator(SHARED_MEMORY, LOSE);
    let (one, two) = (watch(&engine, &wasm, "one.wasm"), watch(&engine, &wasm, "two.wasm"));
    let mut store = Store::new(&engine, State::default());
    let mut linker = linker(&engine, &[&one, &two]);
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(9))).unwrap();
    linker.define(&store, "env", "memory", memory).unwrap();
    let [one, two] =
        [one, two].map(|watched| linker.instantiate(&mut store, watched.module()).unwrap());
    let block = malloc(&mut store, one, 100);
    call(&mut store, two, "free", block);
    let report = report(&mut store);
    assert!(report.findings.is_empty(), "{report}");
    let [memory] = &report.memories[..] else { panic!("one memory, not {report}") };
    assert_eq!((&memory.users[..], memory.max_pages), (&[0, 1][..], Some(9)));
    assert_eq!((memory.totals.allocations, memory.totals.frees), (1, 1));
}

/// The first of the two owns the memory, and is met last.
#[test]
fn a_module_that_imports_the_memory_of_another_one() {
    let engine = Engine::default();
    let owner = watch(&engine, &with_allocator(OWN_MEMORY, LOSE), "owner.wasm");
    let guest = watch(&engine, &with_allocator(SHARED_MEMORY, LOSE), "guest.wasm");
    let mut store = Store::new(&engine, State::default());
    let mut linker = linker(&engine, &[&owner, &guest]);
    let owner = linker.instantiate(&mut store, owner.module()).unwrap();
    linker.instance(&mut store, "env", owner).unwrap();
    let guest = linker.instantiate(&mut store, guest.module()).unwrap();
    let block = malloc(&mut store, guest, 8);
    call(&mut store, owner, "free", block);
    let report = report(&mut store);
    assert!(report.findings.is_empty() && report.memories.len() == 1, "{report}");
}

/// No host is between them, and yet the stack leads through both.
#[test]
fn instances_that_are_linked_to_each_other() {
    let engine = Engine::default();
    let library = watch(&engine, &with_allocator(OWN_MEMORY, LOSE), "library.wasm");
    let program = assemble(
        r#"(module
             (import "library" "lose" (func $lose (param i32)))
             (memory 1)
             (func $work (export "work") (param i32) (call $lose (local.get 0)))
             (func $play (export "play") (param i32) (call $lose (local.get 0))))"#,
    );
    let program = watch(&engine, &program, "program.wasm");
    let mut store = Store::new(&engine, State::default());
    let mut linker = linker(&engine, &[&library, &program]);
    let library = linker.instantiate(&mut store, library.module()).unwrap();
    linker.instance(&mut store, "library", library).unwrap();
    let program = linker.instantiate(&mut store, program.module()).unwrap();
    call(&mut store, program, "work", 50);
    call(&mut store, program, "play", 3);
    call(&mut store, library, "lose", 2);
    let report = report(&mut store);
    let leaks: Vec<_> = report.leaks().iter().map(|leak| stack(leak)).collect();
    let by_program = |function| vec!["malloc", "lose", function];
    assert_eq!(
        leaks,
        [
            by_program("work (program.wasm)"),
            by_program("play (program.wasm)"),
            vec!["malloc", "lose"]
        ],
        "{report}"
    );
}

/// Calls through a table that modules share go past their entries.
#[test]
fn instances_that_share_a_table() {
    let engine = Engine::default();
    let in_table = r#"
        (import "env" "table" (table 1 funcref))
        (elem (i32.const 0) $lose)"#;
    let library =
        watch(&engine, &with_allocator(in_table, &format!("{OWN_MEMORY} {LOSE}")), "library.wasm");
    let program = assemble(
        r#"(module
             (import "env" "table" (table 1 funcref))
             (type $lose (func (param i32)))
             (memory 1)
             (func $indirect (param i32) (call_indirect (type $lose) (local.get 0) (i32.const 0)))
             (func $work (export "work") (param i32) (call $indirect (local.get 0)))
             (func $play (export "play") (param i32) (call $indirect (local.get 0))))"#,
    );
    let program = watch(&engine, &program, "program.wasm");
    let mut store = Store::new(&engine, State::default());
    let mut linker = linker(&engine, &[&library, &program]);
    let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 1, None), Ref::Func(None));
    linker.define(&store, "env", "table", table.unwrap()).unwrap();
    let library = linker.instantiate(&mut store, library.module()).unwrap();
    let program = linker.instantiate(&mut store, program.module()).unwrap();
    call(&mut store, library, "lose", 2);
    call(&mut store, program, "work", 50);
    call(&mut store, program, "play", 3);
    call(&mut store, program, "work", 60);
    call(&mut store, library, "lose", 4);
    let report = report(&mut store);
    let found = report.leaks();
    let leaks: Vec<_> = found.iter().map(|leak| (leak.numbers["blocks"], stack(leak))).collect();
    let by_program = |function| vec!["malloc", "lose", "indirect (program.wasm)", function];
    assert_eq!(
        leaks,
        [
            (2, by_program("work (program.wasm)")),
            (2, vec!["malloc", "lose"]),
            (1, by_program("play (program.wasm)")),
        ],
        "{report}"
    );
}

/// A module that is linked at run time has its blocks from another one, which tells of them.
#[test]
fn an_allocator_that_is_imported_from_another_instance() {
    let engine = Engine::default();
    let owner = watch(&engine, &with_allocator(OWN_MEMORY, LOSE), "owner.wasm");
    let side = assemble(
        r#"(module
             (import "env" "memory" (memory 1))
             (import "env" "malloc" (func $malloc (param i32) (result i32)))
             (import "env" "free" (func $free (param i32)))
             (func $tidy (export "tidy") (param i32) (call $free (call $malloc (local.get 0))))
             (func $lose (export "lose") (param i32) (drop (call $malloc (local.get 0)))))"#,
    );
    let side = watch(&engine, &side, "side.wasm");
    let mut store = Store::new(&engine, State::default());
    let mut linker = linker(&engine, &[&owner, &side]);
    let owner = linker.instantiate(&mut store, owner.module()).unwrap();
    linker.instance(&mut store, "env", owner).unwrap();
    let side = linker.instantiate(&mut store, side.module()).unwrap();
    for _ in 0..3 {
        call(&mut store, side, "tidy", 10);
    }
    call(&mut store, side, "lose", 7);
    let report = report(&mut store);
    assert_eq!(report.memories[0].totals.allocations, 4, "{report}");
    let [leak] = &report.findings[..] else { panic!("one finding, not {report}") };
    assert_eq!((leak.code, leak.numbers["blocks"]), (Code::LeakHostHeld, 1), "{report}");
    assert_eq!(stack(leak), ["malloc", "malloc (side.wasm)", "lose (side.wasm)"], "{report}");
}

/// After a trap the next call is an outermost one, and what the trap left behind is lost.
#[test]
fn a_trap_ends_nothing() {
    let engine = Engine::default();
    let watched = watch(&engine, &with_allocator(OWN_MEMORY, LOSE), "lose.wasm");
    let mut store = Store::new(&engine, State::default());
    let instance = linker(&engine, &[&watched]).instantiate(&mut store, watched.module()).unwrap();
    let trap = instance.get_typed_func::<(), ()>(&mut store, "trap").unwrap();
    for _ in 0..3 {
        trap.call(&mut store, ()).unwrap_err();
        call(&mut store, instance, "lose", 20);
    }
    let report = report(&mut store);
    let leaks: Vec<_> =
        report.leaks().iter().map(|leak| (leak.numbers["bytes"], stack(leak))).collect();
    assert_eq!(leaks, [(60, vec!["malloc", "lose"]), (21, vec!["malloc", "trap"])], "{report}");
    assert!(report.end.is_none());
    let calls = [("trap".to_owned(), 3), ("lose".to_owned(), 3)];
    assert_eq!(report.instances[0].calls, calls);
}

/// The embedder may trap too, in the middle of what a guest waits for.
#[test]
fn a_host_function_that_fails_after_it_entered_again() {
    let engine = Engine::default();
    let wasm = assemble(&leaky_through_host());
    let watched = watch(&engine, &wasm, "lose.wasm");
    let mut linker = linker(&engine, &[&watched]);
    let fail = |mut caller: Caller<'_, State>| -> wasmtime::Result<()> {
        let lose = caller.get_export("lose").and_then(Extern::into_func).unwrap();
        lose.typed::<u32, ()>(&caller)?.call(&mut caller, 5)?;
        wasmtime::bail!("the host fails")
    };
    linker.func_wrap("host", "call", fail).unwrap();
    let mut store = Store::new(&engine, State::default());
    let instance = linker.instantiate(&mut store, watched.module()).unwrap();
    for _ in 0..9 {
        let work = instance.get_typed_func::<(), ()>(&mut store, "work").unwrap();
        work.call(&mut store, ()).unwrap_err();
    }
    call(&mut store, instance, "lose", 1);
    let report = report(&mut store);
    let leaks: Vec<_> =
        report.leaks().iter().map(|leak| (leak.numbers["blocks"], stack(leak))).collect();
    let through_host = (9, vec!["malloc", "lose", "call", "work"]);
    assert_eq!(leaks, [through_host, (1, vec!["malloc", "lose"])], "{report}");
}

fn leaky_through_host() -> String {
    format!(
        r#"(module
             (import "host" "call" (func $call))
             (memory (export "memory") 1)
             (func $malloc (export "malloc") (param $size i32) (result i32) (local $block i32)
               (local.set $block (i32.add (i32.const 4096) (i32.load (i32.const 2048))))
               (i32.store (i32.const 2048)
                 (i32.add (i32.load (i32.const 2048)) (local.get $size)))
               (local.get $block))
             (func $free (export "free") (param i32))
             (func $work (export "work") (call $call))
             (func $make (export "make") (result i32) (call $malloc (i32.const 11)))
             (func $look (export "look"))
             {LOSE})"#
    )
}

/// A block is not lost that the host was given, whatever failed before: here a host function that had entered
/// several times.
#[test]
fn what_the_host_is_given_after_failures_is_held_by_it() {
    let engine = Engine::default();
    for entries_inside in 0..7 {
        let watched = watch(&engine, &assemble(&leaky_through_host()), "lose.wasm");
        let mut linker = linker(&engine, &[&watched]);
        let fail = move |mut caller: Caller<'_, State>| -> wasmtime::Result<()> {
            let look = caller.get_export("look").and_then(Extern::into_func).unwrap();
            for _ in 0..entries_inside {
                look.typed::<(), ()>(&caller)?.call(&mut caller, ())?;
            }
            wasmtime::bail!("the host fails")
        };
        linker.func_wrap("host", "call", fail).unwrap();
        let mut store = Store::new(&engine, State::default());
        let instance = linker.instantiate(&mut store, watched.module()).unwrap();
        let work = instance.get_typed_func::<(), ()>(&mut store, "work").unwrap();
        work.call(&mut store, ()).unwrap_err();
        let make = instance.get_typed_func::<(), u32>(&mut store, "make").unwrap();
        make.call(&mut store, ()).unwrap();
        let report = report(&mut store);
        only_finding(&report, Code::LeakHostHeld);
        let failed = only_finding(&report, Code::NotReturned);
        assert_eq!(failed.numbers["times"], 1);
        assert_eq!(report.findings.len(), 2, "{entries_inside} entries: {report}");
    }
}

/// Blocks that a running function knows are not lost, so nothing is judged then.
#[test]
fn a_report_in_the_middle_of_a_call_judges_nothing() {
    let engine = Engine::default();
    let watched = watch(&engine, &assemble(&leaky_through_host()), "lose.wasm");
    let mut linker = linker(&engine, &[&watched]);
    let look = |mut caller: Caller<'_, State>| {
        let lose = caller.get_export("lose").and_then(Extern::into_func).unwrap();
        lose.typed::<u32, ()>(&caller).unwrap().call(&mut caller, 5).unwrap();
        let report = Recording::report(&mut caller, recording).unwrap();
        caller.data_mut().report = Some(report);
    };
    linker.func_wrap("host", "call", look).unwrap();
    let mut store = Store::new(&engine, State::default());
    let instance = linker.instantiate(&mut store, watched.module()).unwrap();
    let work = instance.get_typed_func::<(), ()>(&mut store, "work").unwrap();
    work.call(&mut store, ()).unwrap();
    let inside = store.data_mut().report.take().unwrap();
    assert!(inside.memories[0].leaks.not_judged.is_some(), "{inside}");
    assert_eq!(inside.totals.at_end.bytes, 5);
    assert_eq!(report(&mut store).memories[0].leaks.definite.bytes, 5);
}

#[test]
fn a_memory_that_the_host_grows() {
    let engine = Engine::default();
    let rest = r#"(func (export "grow") (param i32) (drop (memory.grow (local.get 0))))"#;
    let watched = watch(&engine, &with_allocator(OWN_MEMORY, rest), "grow.wasm");
    let mut store = Store::new(&engine, State::default());
    let instance = linker(&engine, &[&watched]).instantiate(&mut store, watched.module()).unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    memory.grow(&mut store, 2).unwrap();
    call(&mut store, instance, "grow", 4);
    memory.grow(&mut store, 1).unwrap();
    let report = report(&mut store);
    let growth = report.memories[0].growth.log.iter();
    let growth: Vec<_> = growth.map(|g| (g.asked_by, g.pages_before, g.pages_after)).collect();
    let expected =
        [(AskedBy::Host, 1, Some(3)), (AskedBy::Program, 3, Some(7)), (AskedBy::Host, 7, Some(8))];
    assert_eq!(growth, expected);
    assert_eq!((report.totals.at_end.pages, memory.size(&store)), (8, 8));
}

#[test]
fn stacks_that_the_engine_cuts_are_told() {
    let wasm = with_allocator(OWN_MEMORY, LOSE);
    for (limit, is_cut) in
        [(None, true), (NonZeroUsize::new(20), true), (NonZeroUsize::new(99), false)]
    {
        let mut config = Config::new();
        config.wasm_backtrace_max_frames(limit);
        let engine = Engine::new(&config).unwrap();
        let watched = watch(&engine, &wasm, "deep.wasm");
        let mut store = Store::new(&engine, State::default());
        let linker = linker(&engine, &[&watched]);
        let instance = linker.instantiate(&mut store, watched.module()).unwrap();
        call(&mut store, instance, "deep", 30);
        call(&mut store, instance, "lose", 30);
        let report = report(&mut store);
        assert_eq!(report.notes.len(), usize::from(is_cut), "{:?}", report.notes);
        if let Some(note) = report.notes.first() {
            assert!(note.starts_with("1 of 2 call stacks fill the 20 frames"), "{note}");
        }
    }
}

/// A host function that waits, and calls the module meanwhile.
fn wait<'a>(
    mut caller: Caller<'a, State>,
    (): (),
) -> Box<dyn Future<Output = wasmtime::Result<()>> + Send + 'a> {
    Box::new(async move {
        let lose = caller.get_export("lose").and_then(Extern::into_func).unwrap();
        lose.typed::<u32, ()>(&caller)?.call_async(&mut caller, 5).await
    })
}

/// Pre-instantiated, on a fiber, with a host function that waits, and with fuel that runs out.
#[test]
fn instances_that_are_prepared_and_called_asynchronously() {
    let mut config = Config::new();
    config.consume_fuel(true);
    let engine = Engine::new(&config).unwrap();
    let watched = watch(&engine, &assemble(&leaky_through_host()), "lose.wasm");
    let mut linker = linker(&engine, &[&watched]);
    linker.func_wrap_async("host", "call", wait).unwrap();
    let pre = linker.instantiate_pre(watched.module()).unwrap();
    let mut store = Store::new(&engine, State::default());
    store.set_fuel(100_000).unwrap();
    store.fuel_async_yield_interval(Some(10)).unwrap();
    block_on(async {
        for _ in 0..2 {
            let instance = pre.instantiate_async(&mut store).await.unwrap();
            let work = instance.get_typed_func::<(), ()>(&mut store, "work").unwrap();
            work.call_async(&mut store, ()).await.unwrap();
            store.set_fuel(5).unwrap();
            work.call_async(&mut store, ()).await.unwrap_err();
            store.set_fuel(100_000).unwrap();
            work.call_async(&mut store, ()).await.unwrap();
        }
    });
    let report = report(&mut store);
    assert_eq!(report.memories.len(), 2);
    for leak in report.leaks() {
        assert_eq!(stack(leak), ["malloc", "lose", "call", "work"], "{report}");
        assert_eq!(leak.numbers["blocks"], 2);
    }
    assert_eq!(report.leaks().len(), 2, "{report}");
}

/// The start function runs before the host has anything of the instance.
#[test]
fn a_start_function_that_loses_a_block() {
    let engine = Engine::default();
    let rest = r#"(func $start (drop (call $malloc (i32.const 6)))) (start $start)"#;
    let watched = watch(&engine, &with_allocator(OWN_MEMORY, rest), "start.wasm");
    let mut store = Store::new(&engine, State::default());
    linker(&engine, &[&watched]).instantiate(&mut store, watched.module()).unwrap();
    let report = report(&mut store);
    assert_eq!(stack(only_finding(&report, Code::LeakDefinite)), ["malloc", "start"]);
}

#[test]
fn sizes_have_64_bits_where_addresses_do() {
    let engine = Engine::default();
    let narrow = watch(&engine, &with_allocator(OWN_MEMORY, LOSE), "narrow.wasm");
    let wide = assemble(
        r#"(module (memory i64 1)
             (func $malloc (export "malloc") (param i64) (result i64) (i64.const 4096))
             (func (export "lose") (param i32)
               (drop (call $malloc (i64.extend_i32_u (local.get 0))))))"#,
    );
    let wide = watch(&engine, &wide, "wide.wasm");
    let mut store = Store::new(&engine, State::default());
    let linker = linker(&engine, &[&narrow, &wide]);
    for watched in [narrow, wide] {
        let instance = linker.instantiate(&mut store, watched.module()).unwrap();
        call(&mut store, instance, "lose", 40);
    }
    let report = report(&mut store);
    let lost: Vec<_> = report.memories.iter().map(|memory| memory.leaks.definite.bytes).collect();
    assert_eq!(lost, [40, 40], "{report}");
}

/// Nothing happens in the store, so there is nothing to say and nothing to end.
#[test]
fn a_store_that_is_dropped() {
    let engine = Engine::default();
    let watched = watch(&engine, &with_allocator(OWN_MEMORY, LOSE), "lose.wasm");
    let linker = linker(&engine, &[&watched]);
    let mut store = Store::new(&engine, State::default());
    let instance = linker.instantiate(&mut store, watched.module()).unwrap();
    call(&mut store, instance, "lose", 40);
    drop(store);
    let mut other = Store::new(&engine, State::default());
    assert_eq!(report(&mut other).totals.allocations, 0);
}

/// The hooks of a module can be given to a linker once.
#[test]
fn hooks_are_given_once() {
    let engine = Engine::default();
    let watched = watch(&engine, &with_allocator(OWN_MEMORY, LOSE), "lose.wasm");
    let mut linker = linker(&engine, &[&watched]);
    let again = watched.add_to_linker(&mut linker, recording).unwrap_err();
    assert_eq!(again.kind(), linmem::ErrorKind::Engine);
}

/// Other threads may use a memory that is shared, and no other one.
#[test]
fn only_a_shared_memory_is_not_looked_into() {
    let mut config = Config::new();
    config.wasm_threads(true).shared_memory(true);
    let engine = Engine::new(&config).unwrap();
    let notes = |memory: &str| {
        let watched = watch(&engine, &with_allocator(memory, LOSE), "lose.wasm");
        let linker = linker(&engine, &[&watched]);
        let mut store = Store::new(&engine, State::default());
        let instance = linker.instantiate(&mut store, watched.module()).unwrap();
        call(&mut store, instance, "lose", 8);
        report(&mut store).notes
    };
    let shared = notes(r#"(memory (export "memory") 1 2 shared)"#);
    let note = "a memory is shared between threads: nobody looked into it";
    assert!(matches!(&shared[..], [only] if only.starts_with(note)), "{shared:?}");
    assert_eq!(notes(OWN_MEMORY), Vec::<String>::new());
}
