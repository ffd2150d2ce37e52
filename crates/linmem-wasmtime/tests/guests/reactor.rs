//! `examples/strings.c`, a library without `main`: its exports are called one by one, and the
//! report is asked for between the calls.

use linmem::ErrorKind;
use linmem::allocator::{Evidence, Role};
use linmem::report::{Code, Report, Severity};
use linmem::trace::{Buffer, Trace};
use linmem_wasmtime::{Exit, Run, Session, Val};

use crate::binary::Binary;
use crate::support::{guest, observe, only_finding, only_instance, only_memory};

/// A string of 128 Ki letters "a" with its NUL: one byte more than two pages.
const BYTES: i32 = 2 * 65_536 + 1;

/// The library, with the four builds that users meet.
fn builds() -> [(&'static str, Vec<u8>); 4] {
    ["", ".stripped", ".opt", ".opt-g"]
        .map(|suffix| (suffix, guest(&format!("strings{suffix}.wasm"))))
}

fn call(session: &mut Session, export: &str, argument: i32) -> i32 {
    let results = session.call(export, &[Val::I32(argument)]).expect("the call succeeds");
    results.first().map_or(0, |result| result.unwrap_i32())
}

/// Passes a string in, as a host does.
fn pass(session: &mut Session, text: &[u8]) -> i32 {
    let pointer = call(session, "allocate", text.len() as i32);
    assert_ne!(pointer, 0);
    session.memory()[pointer as usize..][..text.len()].copy_from_slice(text);
    pointer
}

fn live_bytes(session: &mut Session) -> u64 {
    let live = session.live_bytes().expect("the recording is sound");
    let report = session.report().expect("the recording is sound");
    assert_eq!(live, report.totals.at_end.bytes);
    live
}

/// The round trip of the story: the string does not fit into the two pages that the memory
/// starts with, and the second one needs no more than the first.
#[test]
fn a_round_trip_grows_the_memory_once() {
    for (build, wasm) in builds() {
        let mut session = Run::new(&wasm).unwrap().start().unwrap();
        assert_eq!(session.pages(), 2, "{build}");
        let text = [vec![b'a'; BYTES as usize - 1], vec![0]].concat();

        let pointer = pass(&mut session, &text);
        assert_eq!(live_bytes(&mut session), BYTES as u64, "{build}");
        assert_eq!(call(&mut session, "count_as", pointer), BYTES - 1, "{build}");
        let pages = session.pages();
        assert!(pages > 2, "{build}: {pages} pages");
        call(&mut session, "deallocate", pointer);
        assert_eq!(live_bytes(&mut session), 0, "{build}");

        let second = pass(&mut session, &text);
        assert_eq!(second, pointer, "{build}");
        call(&mut session, "deallocate", second);
        let witness = session.call("get_memory_size", &[]).unwrap()[0].unwrap_i32();
        assert_eq!(witness as u64, session.pages(), "{build}");
        assert_eq!(session.pages(), pages, "{build}");

        let report = session.report().unwrap();
        let (instance, memory) = (only_instance(&report), only_memory(&report));
        assert!(report.findings.is_empty(), "{build}: {report}");
        assert_eq!((report.totals.allocations, report.totals.frees), (2, 2), "{build}");
        assert_eq!(report.totals.reused, 1, "{build}");
        assert_eq!(report.totals.at_end.pages, pages, "{build}");
        assert_eq!(memory.growth.growths, 1, "{build}");
        assert_eq!(memory.growth.log[0].request, Some(BYTES as u64), "{build}");
        let calls = [("allocate", 2), ("count_as", 1), ("deallocate", 2), ("get_memory_size", 1)];
        let calls = calls.map(|(name, times)| (name.to_owned(), times));
        assert_eq!(instance.calls, calls, "{build}");
    }
}

/// linmem sees what `string_duplicate` and `upper` allocate inside, or says that it does not. In
/// either case, freeing it is not an error.
#[test]
fn blocks_that_the_guest_makes_count_like_those_that_the_host_asks_for() {
    for (build, wasm) in builds() {
        let mut session = Run::new(&wasm).unwrap().start().unwrap();
        let text = pass(&mut session, b"banana\0");
        let copies = ["string_duplicate", "upper"].map(|export| call(&mut session, export, text));
        assert_eq!(&session.memory()[copies[1] as usize..][..7], b"BANANA\0");
        assert_eq!(live_bytes(&mut session), 3 * 7, "{build}");
        for pointer in copies {
            call(&mut session, "deallocate", pointer);
        }
        assert_eq!(live_bytes(&mut session), 7, "{build}");
        call(&mut session, "deallocate", text);
        let report = session.report().unwrap();
        assert!(report.findings.is_empty(), "{build}: {report}");
        assert_eq!((report.totals.allocations, report.totals.frees), (3, 3), "{build}");
        assert_eq!(report.totals.allocated_bytes, 21, "{build}");
        assert!(only_instance(&report).coverage.unseen.is_empty(), "{build}: {report}");
    }
}

/// Nothing in the guest points to what `string_duplicate` returned: only the host can free it.
#[test]
fn blocks_that_only_the_host_knows_are_host_held() {
    let wasm = guest("strings.wasm");
    let mut session = Run::new(&wasm).unwrap().start().unwrap();
    let text = pass(&mut session, b"leak\0");
    for _ in 0..3 {
        call(&mut session, "string_duplicate", text);
    }
    call(&mut session, "deallocate", text);
    let report = session.report().unwrap();
    let finding = only_finding(&report, Code::LeakHostHeld);
    assert_eq!(report.findings, std::slice::from_ref(finding));
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!((finding.numbers["blocks"], finding.numbers["bytes"]), (3, 15));
    let stack: Vec<_> = finding.stacks[0].stack.iter().map(|f| f.function.as_str()).collect();
    assert_eq!(stack[..3], ["malloc", "strdup", "string_duplicate"]);
    let held = only_memory(&report).leaks.host_held;
    assert_eq!((held.blocks, held.bytes), (3, 15));
    assert!(!report.has_errors());
}

/// What the host passes a second time is misuse, as in the guest.
#[test]
fn the_host_can_misuse_the_allocator_too() {
    let wasm = guest("strings.wasm");
    let mut session = Run::new(&wasm).unwrap().start().unwrap();
    let text = pass(&mut session, b"once\0");
    call(&mut session, "deallocate", text);
    call(&mut session, "deallocate", text);
    let report = session.report().unwrap();
    let finding = only_finding(&report, Code::DoubleFree);
    assert_eq!(finding.numbers["block_bytes"], 5);
    assert_eq!(finding.numbers["times"], 1);
    assert_eq!((report.totals.allocations, report.totals.frees), (1, 1));
}

/// The evidence that is printed for a library without names must be true of its code.
#[test]
fn evidence_for_hooked_exports_is_true() {
    for (build, wasm) in builds() {
        let module = Binary::read(&wasm).unwrap();
        let report = observe(Run::new(&wasm).unwrap()).report;
        let coverage = &only_instance(&report).coverage;
        let roles = |role| coverage.hooked.iter().filter(move |f| f.role == role).count();
        assert!(roles(Role::Malloc) > 0 && roles(Role::Free) > 0, "{build}: {coverage}");
        for hooked in &coverage.hooked {
            let exported = |name: &str| module.export(name).unwrap();
            match &hooked.evidence {
                Evidence::Export(name) => assert_eq!(exported(name), hooked.function, "{build}"),
                Evidence::ForwardedExport(name) => {
                    assert!(
                        forwards(&wasm, exported(name), hooked.function),
                        "{build}: {coverage}"
                    );
                }
                Evidence::NameSection(name) => {
                    assert_eq!(module.names[&hooked.function], name, "{build}");
                }
                // `real_programs.rs` compares shapes with names.
                Evidence::Shape(name) => assert_eq!(name, "dlmalloc", "{build}"),
                evidence => panic!("{build}: {evidence}, but nobody said so"),
            }
        }
    }
}

/// Whether `function` does nothing but pass its arguments to another, which is `callee` or passes
/// them on to it; `wasm-ld` adds calls of what takes nothing and returns nothing.
fn forwards(wasm: &[u8], function: u32, callee: u32) -> bool {
    use wasmparser::Operator;
    if function == callee {
        return true;
    }
    let module = Binary::read(wasm).unwrap();
    let body = module.body(function).unwrap();
    let mut next = None;
    for operator in body.get_operators_reader().unwrap() {
        match operator.unwrap() {
            Operator::LocalGet { .. } | Operator::End => {}
            Operator::Call { function_index } => {
                let ty = module.function_type(function_index).unwrap();
                let nothing = ty.params().is_empty() && ty.results().is_empty();
                if !nothing && next.replace(function_index).is_some() {
                    return false;
                }
            }
            _ => return false,
        }
    }
    next.is_some_and(|next| forwards(wasm, next, callee))
}

#[test]
fn calls_that_cannot_be_made_are_refused() {
    let wasm = guest("strings.wasm");
    let buffer = Buffer::default();
    let run = Run::new(&wasm).unwrap().trace_into(buffer.clone());
    let mut session = run.start().unwrap();
    let none = session.call("no_such_export", &[]).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::InvalidRequest);
    let message = "the module exports no function `no_such_export`; it exports `allocate`, \
                   `deallocate`, `string_duplicate`, `count_as`, `upper`, `get_memory_size`";
    assert_eq!(none.to_string(), message);
    let wrong = session.call("allocate", &[Val::I64(1)]).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::InvalidRequest);
    let outcome = session.finish().unwrap();
    assert_eq!(outcome.exit, Exit::Code(0));
    let report: Report = linmem::analyze(&Trace::from_bytes(buffer.take())).unwrap();
    assert_eq!(report.events, 0);
}
