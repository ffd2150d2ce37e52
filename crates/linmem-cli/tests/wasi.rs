//! WASI programs with libraries and allocators that were written without linmem: what frees everything is silent,
//! and what forgets it has the count and the line in the first finding.
//! Needs `scripts/build-guests --real --rust`, which `scripts/test` runs.

mod support;

use linmem::export::read_json;
use linmem::report::{Code, Finding, Report, Severity, StackFrame};
use support::Scene;

/// What a command with a module reports.
fn report(command: &str, module: &str, arguments: &str) -> Report {
    let scene = Scene::new();
    let line = format!("linmem {command} -q --json $TMP/report.json {module} {arguments}");
    let output = scene.run(line.trim_end());
    let text = std::fs::read(scene.path("report.json"));
    let text = text.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    read_json(text.as_slice()).expect("a report")
}

fn run(module: &str, argument: &str) -> Report {
    report("run", module, &format!("-- {argument}"))
}

/// The path of a module that `scripts/build-guests` makes.
fn built(name: &str) -> String {
    format!("target/guests/{name}.wasm")
}

fn committed(name: &str) -> String {
    format!("examples/wasi/{name}.wasm")
}

fn assert_silent(report: &Report) {
    let bad = report.findings.iter().find(|finding| finding.severity != Severity::Note);
    assert_eq!(bad, None, "{report}");
}

/// All allocations were seen, and all blocks were given back.
fn assert_healthy(report: &Report) {
    assert_silent(report);
    assert!(report.totals.allocations > 500 && report.totals.frees > 500, "{report}");
}

/// The first finding is a leak of this many blocks, which a frame at this line or in this function allocated.
fn assert_leak(report: &Report, blocks: u64, place: &str) {
    let first = report.findings.first().unwrap_or_else(|| panic!("no finding: {report}"));
    assert_eq!((first.code, first.numbers["blocks"]), (Code::LeakDefinite, blocks), "{report}");
    let is_there = |frame: &StackFrame| {
        let file = frame.file.as_deref().unwrap_or_default();
        let line = frame.line.unwrap_or_default();
        frame.function == place || format!("{file}:{line}").ends_with(place)
    };
    assert!(first.stacks[0].stack.iter().any(is_there), "{place}: {report}");
}

/// wasi-libc's dlmalloc; the counts are Valgrind's too.
#[test]
fn cjson() {
    let module = built("cjson");
    assert_healthy(&run(&module, ""));
    assert_leak(&run(&module, "leak"), 50, "examples/wasi/cjson.c:18");
    assert_leak(&run(&module, "text"), 50, "examples/wasi/cjson.c:24");
    assert_leak(&run(&module, "pages"), 50, "examples/wasi/cjson.c:18");
}

#[test]
fn mimalloc() {
    let module = built("cjson-mimalloc");
    assert_healthy(&run(&module, ""));
    assert_leak(&run(&module, "leak"), 50, "examples/wasi/cjson.c:18");
    assert_leak(&run(&module, "text"), 50, "examples/wasi/cjson.c:24");
}

#[test]
fn emmalloc() {
    let module = committed("cjson-emmalloc");
    assert_healthy(&run(&module, ""));
    assert_leak(&run(&module, "leak"), 50, "main");
    assert_leak(&run(&module, "text"), 50, "main");
}

/// Zig's libc, whose `free` is called `c.malloc.free`.
#[test]
fn zig_libc() {
    let module = committed("cjson-zig");
    assert_healthy(&run(&module, ""));
    assert_leak(&run(&module, "leak"), 50, "cJSON_Parse");
    assert_leak(&run(&module, "text"), 50, "cJSON_PrintUnformatted");
}

#[test]
fn expat() {
    let module = built("expat");
    assert_healthy(&run(&module, ""));
    let leak = run(&module, "leak");
    assert_leak(&leak, 10, "examples/wasi/expat.c:32");
    let second = &leak.findings[1];
    assert_eq!((second.code, second.numbers["blocks"]), (Code::LeakDefinite, 10), "{leak}");
}

/// C++ with its standard library.
#[test]
fn tinyxml2() {
    let module = built("tinyxml2");
    assert_healthy(&run(&module, ""));
    assert_leak(&run(&module, "leak"), 25, "examples/wasi/tinyxml2.cpp:45");
    assert_leak(&run(&module, "index"), 25, "examples/wasi/tinyxml2.cpp:47");
    assert_leak(&run(&module, "cycle"), 25, "examples/wasi/tinyxml2.cpp:60");
}

/// Allocators of Rust that linmem sees whole.
#[test]
fn rust_allocators() {
    for name in ["plain", "plain.lto", "dlmalloc", "dlmalloc.lto", "wee_alloc"] {
        let module = built(&format!("allocator_{name}"));
        assert_healthy(&run(&module, ""));
        assert_healthy(&run(&module, "queue"));
        assert_leak(&run(&module, "leak"), 50, "program.rs:12");
    }
}

/// Allocators that are inlined in part or everywhere: nothing is said of what was not seen.
#[test]
fn rust_allocators_that_are_inlined() {
    for name in ["lol_alloc", "lol_alloc.lto", "talc", "talc.lto", "wee_alloc.lto"] {
        for argument in ["", "queue", "leak"] {
            assert_silent(&run(&built(&format!("allocator_{name}")), argument));
        }
    }
}

/// Zig and AssemblyScript, whose allocators are not known: growth, by call.
#[test]
fn growth_by_call() {
    for name in ["words", "list"] {
        let call = |export: &str| {
            let arguments = format!("{export} 100 --times 64 --stub-imports=zero");
            report("call", &committed(name), &arguments)
        };
        assert_silent(&call("work"));
        let leak = call("leak");
        assert_eq!(leak.findings[0].code, Code::KeepsGrowing, "{leak}");
        assert_eq!(leak.findings[0].numbers["calls"], 64, "{leak}");
    }
}

/// CVE-2023-4863: libwebp writes past the end of its lookup tables.
#[test]
fn webp() {
    let faulty = report("check", &built("webp"), "");
    let [finding] = errors(&faulty)[..] else { panic!("{faulty}") };
    assert_eq!(finding.code, Code::HeapOverflow, "{faulty}");
    let expected = "4 bytes written just past the end of a block of 11,816 bytes";
    assert_eq!(finding.message, expected);
    assert_eq!(place(finding, 0, 0), ("ReplicateValue", 59), "{faulty}");
    assert_eq!(place(finding, 1, 1), ("WebPSafeMalloc", 199), "{faulty}");
    // It shows in nothing else.
    assert_silent(&report("run", &built("webp"), ""));
    assert_only_the_faulty_use_is_found("webp");
}

/// CVE-2019-6706: Lua uses a variable that it has freed, when a closure shares it with itself.
#[test]
fn lua() {
    let faulty = report("check", &built("lua"), "");
    let finding = errors(&faulty)[0];
    assert_eq!(finding.code, Code::UseAfterFree, "{faulty}");
    let expected = "4 bytes read 4 bytes into a freed block of 24 bytes";
    assert!(finding.message.starts_with(expected), "{faulty}");
    let places = [0, 1].map(|stack| place(finding, stack, if stack == 0 { 0 } else { 4 }));
    assert_eq!(places, [("lua_upvaluejoin", 1294), ("lua_upvaluejoin", 1292)], "{faulty}");
    assert_only_the_faulty_use_is_found("lua");
}

fn errors(report: &Report) -> Vec<&Finding> {
    report.findings.iter().filter(|finding| finding.severity == Severity::Error).collect()
}

/// A frame's function and line.
fn place(finding: &Finding, stack: usize, nth: usize) -> (&str, u32) {
    let frame = &finding.stacks[stack].stack[nth];
    (&frame.function, frame.line.expect("a line"))
}

/// With an argument the program is right, and in a version without the bug it is always.
fn assert_only_the_faulty_use_is_found(name: &str) {
    let fixed = format!("{name}-fixed");
    for (module, arguments) in [(name, "-- right"), (&fixed, ""), (&fixed, "-- right")] {
        assert_silent(&report("check", &built(module), arguments));
    }
}

/// Programs in C, C++ and Rust with libraries and several allocators, which are right, are silent where accesses are
/// checked.
#[test]
fn programs_are_silent_when_their_accesses_are_checked() {
    let c = ["cjson", "expat", "tinyxml2", "sqlite"];
    let allocators = ["plain", "plain.lto", "dlmalloc", "dlmalloc.lto", "wee_alloc"];
    let rust = allocators.map(|name| format!("allocator_{name}"));
    let names = c.map(str::to_owned).into_iter().chain(rust).chain(["rust_clean".to_owned()]);
    let plain = names.map(|name| (name, "check", ""));
    let scripts = ["qjs", "qjs-noarena"]
        .map(|name| (name.to_owned(), "check --dir bench/guests::/", "-- /objects.js 2"));
    for (name, command, arguments) in plain.chain(scripts) {
        let report = report(command, &built(&name), arguments);
        let about_access = |finding: &&Finding| {
            finding.code == Code::AccessesUnchecked || finding.numbers.contains_key("address")
        };
        assert_eq!(report.findings.iter().find(about_access), None, "{name}: {report}");
    }
}
