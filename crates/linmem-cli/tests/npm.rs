//! Packages from npm, as they are: each does the same watched and not, and reports name what did it.
//! Needs `npm ci` in `examples/npm`, which `scripts/test` does; it brings the Node that checks of accesses need, too.

mod support;

use std::collections::BTreeSet;
use std::process::{Command, Output};

use linmem::export::read_json;
use linmem::report::{Code, Finding, HotSite, Report, Severity};
use support::{Scene, root};

fn plain(script: &str, argument: &str) -> Output {
    let arguments = [script, argument].into_iter().filter(|argument| !argument.is_empty());
    let node = Command::new("node").args(arguments).current_dir(root()).output();
    let output = node.expect("node is installed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "npm ci in examples/npm? {error}");
    output
}

/// Runs the script of a package, and compares.
fn watched(package: &str, options: &str) -> Report {
    watched_with(package, options, "")
}

/// The same with an argument.
fn watched_with(package: &str, options: &str, argument: &str) -> Report {
    let (report, ends_as_plain) = reported(package, options, argument);
    assert!(ends_as_plain, "{package}: {report}");
    report
}

/// The same, and whether the exit code is the script's own: with an error, it is 1.
fn reported(package: &str, options: &str, argument: &str) -> (Report, bool) {
    let script = format!("examples/npm/{package}.mjs");
    let plain = plain(&script, argument);
    let scene = Scene::new();
    let command = format!("linmem node -q --json $TMP/report.json {options} {script} {argument}");
    let output = scene.run(command.trim_end());
    assert_eq!(output.stdout, plain.stdout, "{package}");
    assert_eq!(output.stderr, plain.stderr, "{package}");
    let text = std::fs::read(scene.path("report.json")).expect("a report");
    (read_json(text.as_slice()).expect("a report"), output.status == plain.status)
}

/// The last Node that supports several memories, which checks need.
const NEWER_NODE: &str = "examples/npm/node_modules/node-24/bin/node";

/// Runs a script in a newer Node with each of its accesses checked; it must do the same as without.
fn checked(script: &str, argument: &str) -> Report {
    let arguments = [script, argument].into_iter().filter(|argument| !argument.is_empty());
    let plain = Command::new(root().join(NEWER_NODE)).args(arguments).current_dir(root()).output();
    let plain = plain.expect("node 24 is installed: npm ci in examples/npm");
    let scene = Scene::new();
    let options = "-q --check --json $TMP/report.json";
    let command = format!("linmem node {options} -- {NEWER_NODE} {script} {argument}");
    let output = scene.run(command.trim_end());
    assert_eq!(output.stdout, plain.stdout, "{script}");
    assert_eq!(output.stderr, plain.stderr, "{script}");
    let text = std::fs::read(scene.path("report.json"));
    let text = text.unwrap_or_else(|_| panic!("{script}: no report, {}", output.status));
    read_json(text.as_slice()).expect("a report")
}

/// What is said of accesses: the code and the message of each finding.
fn accesses(report: &Report) -> Vec<(Code, &str)> {
    let of_accesses = report.findings.iter().filter(|finding| {
        finding.code == Code::AccessesUnchecked || finding.numbers.contains_key("address")
    });
    of_accesses.map(|finding| (finding.code, &*finding.message)).collect()
}

/// Nothing is found in packages that are right, and it is said where the heap's accesses are not checked.
#[test]
fn packages_are_silent_when_their_accesses_are_checked() {
    let known = [
        "argon2",
        "automerge",
        "box2d3",
        "brotli",
        "canvaskit",
        "cld3",
        "draco3d",
        "jsquash-png",
        "libheif",
        "libsodium",
        "manifold",
        "pdfium",
        "photon",
        "quickjs",
        "resvg",
        "rosu",
        "rubberband",
        "tiktoken",
        "yoga-layout",
    ];
    for package in known {
        let report = checked(&format!("examples/npm/{package}.mjs"), "");
        assert_eq!(accesses(&report), [], "{package}: {report}");
        assert!(!report.has_errors(), "{package}: {report}");
    }
    for package in ["as-sha256", "sql.js"] {
        let report = checked(&format!("examples/npm/{package}.mjs"), "");
        let codes: Vec<Code> = accesses(&report).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, [Code::AccessesUnchecked], "{package}: {report}");
    }
}

/// They are silent without checks, too. mimalloc gives back blocks of its own where a thread of wasm-vips ends, loro-crdt runs
/// the copy of dlmalloc that is passed its state, and dotlottie puts a header before what C++ allocates.
#[test]
fn what_is_in_order_is_silent() {
    let known = [
        "argon2",
        "box2d3",
        "brotli",
        "cld3",
        "dotlottie",
        "h5wasm",
        "jsquash-png",
        "loro-crdt",
        "opencv-js",
        "pdfium",
        "rubberband",
        "wasm-vips",
    ];
    for package in known {
        let report = watched(package, "");
        assert!(!report.has_errors() && report.totals.allocations > 0, "{package}: {report}");
        let warnings = report.findings.iter().filter(|f| f.severity == Severity::Warning);
        assert_eq!(warnings.count(), 0, "{package}: {report}");
    }
}

/// `posix_memalign` has lost its alignment in the first, `mallinfo` writes the allocator's parameters in the second, and the third
/// is Rust compiled for size.
#[test]
fn objects_of_rubber_band_of_box2d_and_of_brotli_are_counted() {
    for (package, line, blocks) in [("rubberband", 11, 20), ("box2d3", 13, 100), ("brotli", 13, 20)]
    {
        let leak = watched_with(package, "", "leak");
        let first = &leak.findings[0];
        assert_eq!((first.code, first.numbers["blocks"]), (Code::LeakHostHeld, blocks), "{leak}");
        let place = format!("(allocated at examples/npm/{package}.mjs:{line})");
        assert!(first.message.contains(&place), "{leak}");
    }
}

/// Its allocator checks its chunks.
#[test]
fn documents_of_pdfium_are_counted() {
    let leak = watched_with("pdfium", "", "leak");
    let [documents, bytes] = &leak.findings[..2] else { panic!("{leak}") };
    for finding in [bytes, documents] {
        assert_eq!((finding.code, finding.numbers["blocks"]), (Code::LeakHostHeld, 20), "{leak}");
        assert!(finding.message.contains("(allocated at examples/npm/pdfium.mjs:24)"), "{leak}");
    }
    assert!(
        documents.message.contains("20 blocks from `FPDF_LoadMemDocument` and freed 0"),
        "{leak}"
    );
}

/// What points behind the headers owns blocks.
#[test]
fn players_of_dotlottie_are_left_to_finalizers() {
    let leak = watched_with("dotlottie", "", "leak");
    let first = &leak.findings[0];
    assert_eq!((first.code, first.numbers["objects"]), (Code::WaitsForFinalizer, 20), "{leak}");
    assert!(leak.findings.iter().all(|finding| finding.severity == Severity::Note), "{leak}");
}

/// HDF5 has a list of its open files, so all that they own is pointed to.
#[test]
fn files_that_nobody_closes_are_kept_by_calls() {
    let leak = watched_with("h5wasm", "", "leak");
    let first = &leak.findings[0];
    assert_eq!(first.code, Code::KeptByCalls, "{leak}");
    assert!(
        first.message.contains(" at examples/npm/h5wasm.mjs:18 keep more and more: "),
        "{leak}"
    );
    let headline = "no problems found, but calls keep more and more: ";
    assert!(leak.to_string().lines().next().unwrap().contains(headline), "{leak}");
}

/// mimalloc's `new` does not call its `malloc`.
#[test]
fn images_of_wasm_vips_are_counted() {
    let leak = watched_with("wasm-vips", "", "leak");
    let first = &leak.findings[0];
    assert_eq!(first.code, Code::LeakHostHeld, "{leak}");
    let line = |line: u32| format!("(allocated at examples/npm/wasm-vips.mjs:{line})");
    assert!((8..=10).map(line).any(|line| first.message.contains(&line)), "{leak}");
    // A word that happens to equal its address may hide one of them.
    assert!(first.numbers["blocks"] >= 19 && first.numbers["freed"] == 0, "{leak}");
}

#[test]
fn documents_of_loro_are_left_to_finalizers() {
    let leak = watched_with("loro-crdt", "", "leak");
    let first = &leak.findings[0];
    assert_eq!((first.code, first.numbers["objects"]), (Code::WaitsForFinalizer, 40), "{leak}");
    assert!(first.message.contains("(registered at examples/npm/loro-crdt.mjs:16)"), "{leak}");
}

/// JavaScript reads the addresses of compiled expressions out of the memory, and keeps them; what a search leaves is lost.
#[test]
fn what_onigasm_reads_from_the_memory_is_the_hosts() {
    let (report, ends_as_plain) = reported("onigasm", "", "");
    assert!(!ends_as_plain, "what is lost is an error: {report}");
    let lost = report.findings.iter().filter(|finding| finding.code == Code::LeakDefinite);
    let by_search = lost.map(|finding| {
        finding.stacks[0].stack.iter().any(|frame| frame.function.contains("findBestMatch"))
    });
    assert_eq!(by_search.collect::<Vec<_>>(), [true], "{report}");
    let held = report.findings.iter().find(|finding| finding.code == Code::LeakHostHeld);
    let held = held.unwrap_or_else(|| panic!("{report}"));
    assert!(held.message.contains("the host got 180 blocks from `compilePattern`"), "{report}");
}

/// web-tree-sitter links a grammar to its own module at run time.
#[test]
fn linked_modules_are_refused_when_their_accesses_are_checked() {
    let scene = Scene::new();
    let script = "examples/npm/web-tree-sitter.mjs";
    let output = scene.run(&format!("linmem node --check -- {NEWER_NODE} {script}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.starts_with("linmem: nothing was watched, so nothing is known of the program\n"),
        "{error}"
    );
    assert_eq!(output.status.code(), Some(2));
    let reason = "accesses of a module that is linked at run time cannot be checked; without checks it is recorded";
    assert!(error.contains(reason), "{error}");
    assert_eq!(output.stdout, plain(script, "").stdout);
}

/// Its `close` uses a Lua state that it has closed.
#[test]
fn wasmoon_uses_what_it_has_freed() {
    let report = checked("examples/npm/wasmoon.mjs", "");
    let accesses = accesses(&report);
    let first =
        "4 bytes read 24 bytes into a freed block of 120 bytes (examples/npm/wasmoon.mjs:9)";
    assert!(accesses[0].1.starts_with(first), "{report}");
    assert!(accesses.iter().all(|(code, _)| *code == Code::UseAfterFree), "{report}");
}

/// The story's kind of bug: JavaScript writes past the end of a block, or reads one that was freed.
#[test]
fn what_javascript_does_with_blocks_is_checked() {
    let script = "examples/checks/strings.mjs";
    assert_eq!(checked(script, "healthy").findings, []);
    let past = checked(script, "past");
    let (code, message) = accesses(&past)[0];
    let expected = "1 byte changed from outside just past the end of a block of 6 bytes, found afterwards \
                    (examples/checks/strings.mjs:29); 3 times";
    assert_eq!((code, message), (Code::BlockOverwritten, expected), "{past}");
    let freed = checked(script, "freed");
    let [(code, message)] = accesses(&freed)[..] else { panic!("{freed}") };
    let expected = "7 bytes read by the host at the start of a freed block of 7 bytes";
    assert_eq!(code, Code::HostAccess, "{freed}");
    assert!(message.starts_with(expected) && message.ends_with("3 times"), "{freed}");
    let lent = checked(script, "lent");
    let [first, second, ..] = accesses(&lent)[..] else { panic!("{lent}") };
    assert_eq!(first.0, Code::UseAfterFree, "{lent}");
    let expected = "7 bytes written by the host at the start of a freed block of 16,384 bytes";
    assert!(second.0 == Code::HostAccess && second.1.starts_with(expected), "{lent}");
}

/// The engine of Node 22 would crash where such a module imports Node's own functions.
#[test]
fn accesses_of_programs_that_use_wasi_are_checked_in_node_22_too() {
    let scene = Scene::new();
    let node = "examples/npm/node_modules/node-22/bin/node --no-warnings bench/node/wasi.mjs";
    let options = "-q --check --json $TMP/report.json";
    let module = "target/checks/host_write_past.O2.wasm";
    let output = scene.run(&format!("linmem node {options} -- {node} {module} ."));
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read(scene.path("report.json")).expect("a report");
    let report = read_json(text.as_slice()).expect("a report");
    let expected =
        "11 bytes read by `fd_write` of which 1 byte is past the end of a block of 10 bytes";
    let [(code, message)] = accesses(&report)[..] else { panic!("{report}") };
    assert!(code == Code::HostAccess && message.starts_with(expected), "{report}");
}

#[test]
fn a_program_in_node_can_be_stopped_at_its_first_error() {
    let scene = Scene::new();
    let options = "-q --check --stop-at-first --json $TMP/report.json";
    let script = "examples/checks/strings.mjs past";
    let output = scene.run(&format!("linmem node {options} -- {NEWER_NODE} {script}"));
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()));
    let text = std::fs::read(scene.path("report.json")).expect("a report");
    let report = read_json(text.as_slice()).expect("a report");
    assert_eq!(accesses(&report).len(), 1, "{report}");
}

/// The stacks of the hot sites of an instance's memory, each as one line.
fn stacks(report: &Report, instance: usize) -> Vec<String> {
    let line = |site: &HotSite| {
        site.stack.iter().map(|frame| &*frame.function).collect::<Vec<_>>().join(" < ")
    };
    report.memories[report.instances[instance].memory]
        .hot_sites
        .allocations
        .iter()
        .map(line)
        .collect()
}

fn assert_some(stacks: &[String], parts: &[&str]) {
    let found = stacks.iter().any(|stack| parts.iter().all(|part| stack.contains(part)));
    assert!(found, "none of {stacks:#?} has {parts:?}");
}

/// Emscripten with minified names: `malloc` and `free` are known by their shape. All that the statements and the
/// databases allocated is given back.
#[test]
fn sql_js() {
    let report = watched("sql.js", "--top 50");
    assert!(report.totals.allocations > 500, "{report}");
    assert!(report.totals.frees > 300, "{report}");
    assert_some(&stacks(&report, 0), &["Ia < ", "examples/npm/sql.js.mjs:"]);
    let codes: BTreeSet<Code> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::StillReachable].into(), "{report}");
    // linmem believes the user's flags.
    let told = watched("sql.js", "--malloc Ia --free Ja");
    assert_eq!(told.totals.allocations, report.totals.allocations);
}

/// Emscripten with minified names: all that it allocates is given back.
#[test]
fn libsodium() {
    let report = watched("libsodium", "--top 50");
    assert!(report.totals.allocations > 5, "{report}");
    assert_some(&stacks(&report, 0), &["examples/npm/libsodium.mjs:"]);
}

/// Emscripten with names, and a second module that is linked to the first and shares its memory.
#[test]
fn web_tree_sitter() {
    let report = watched("web-tree-sitter", "--top 50");
    assert_eq!(report.instances.len(), 2);
    assert_some(&stacks(&report, 0), &["ts_parser__reduce", "examples/npm/web-tree-sitter.mjs:12"]);
    assert!(report.totals.allocations > 20 && report.totals.reallocations > 10, "{report}");
}

/// Emscripten with pthreads: what the threads allocate and free in the memory that they share is one history. Five
/// contexts are lost in the second program, and none in the first.
#[test]
fn z3_solver() {
    let lost_contexts = |report: &Report| {
        let lost = |finding: &&Finding| finding.message.contains("from `Z3_mk_context`");
        report.findings.iter().find(lost).cloned()
    };
    let healthy = watched("z3-solver", "");
    assert_eq!(healthy.memories.len(), 1, "{healthy}");
    assert!(healthy.instances.len() > 1 && !healthy.has_errors(), "{healthy}");
    assert!(healthy.totals.frees > 4_000, "{healthy}");
    assert_eq!(lost_contexts(&healthy), None, "{healthy}");
    let leak = watched("z3-solver-leak", "");
    assert!(!leak.has_errors(), "{leak}");
    let lost = lost_contexts(&leak).unwrap_or_else(|| panic!("{leak}"));
    assert_eq!((lost.numbers["returned"], lost.numbers["freed"]), (6, 1), "{leak}");
    let mut frames = lost.stacks[0].stack.iter();
    let caller = "newContext (examples/npm/z3-solver-leak.mjs:9)";
    assert!(frames.any(|frame| frame.function == caller), "{leak}");
}

/// wasm-bindgen: a stack that goes from JavaScript into the module and out and in again.
#[test]
fn resvg() {
    let report = watched("resvg", "--top 50");
    let functions =
        ["__wbindgen_malloc", "passStringToWasm0", "resvg_new", "examples/npm/resvg.mjs:11"];
    assert_some(&stacks(&report, 0), &functions);
}

/// TinyGo, with names: a new instance, with a memory of 10 MiB, for each call.
#[test]
fn sh_syntax() {
    let clean = watched("sh-syntax", "");
    assert_eq!(clean.findings, [], "{clean}");
    let report = watched_with("sh-syntax", "", "leak");
    let [many] = &report.findings[..] else { panic!("{report}") };
    assert_eq!(many.code, Code::InstancePerCall);
    assert_eq!((many.numbers["instances"], many.numbers["pages"]), (5, 5 * 160));
    let unseen = &report.instances[0].coverage.unseen;
    assert!(unseen.iter().any(|unseen| unseen.grower == "runtime.growHeap"), "{report}");
}

/// AssemblyScript: an instance for each object of one class, and one for all that the functions do.
#[test]
fn as_sha256() {
    let clean = watched("as-sha256", "");
    assert_eq!(clean.findings, [], "{clean}");
    let leak = watched_with("as-sha256", "", "leak");
    let [many] = &leak.findings[..] else { panic!("{leak}") };
    assert_eq!(many.code, Code::InstancePerCall);
    assert_eq!((many.numbers["instances"], many.numbers["pages"]), (21, 21));
}

/// AssemblyScript and Go whose allocators have no names: their memories are watched.
#[test]
fn memories_alone() {
    let report = watched("as-sha256", "");
    assert_eq!(report.memories[0].totals.at_end.pages, 1);
    assert_eq!(report.totals.allocations, 0);
    // In a child process, which is killed when it is not needed any more.
    let report = watched("esbuild", "");
    assert_eq!(report.memories[0].initial_pages, 95);
}

/// Programs that give back what they get have no error and no warning, and those that forget it have the count and
/// the line in the first finding.
#[test]
fn what_is_forgotten_comes_first() {
    let words = [
        ("draco3d", "the host got 60 blocks from `A` and freed 0", 9),
        ("libheif", "the host got 20 blocks from `func[649]` and freed 0", 9),
        ("libsodium", "the host got 80 blocks from `Ee` and freed 50", 7),
        ("manifold", "the host got 20 blocks from `func[608]` and freed 0", 11),
        ("onnxruntime", "the host got 8 blocks from `bb` and freed 0", 14),
        ("opencv-js", "the host got 20 blocks from `dynCall_iiii` and freed 0", 12),
        ("quickjs", "the host got 30 blocks from `N` and freed 0", 9),
        ("resvg", " in 20 blocks never given back", 11),
        ("sql.js", " in 5 blocks never given back", 8),
        (
            "tiktoken",
            "each of 12 calls of `get_encoding` (examples/npm/tiktoken.mjs:6) grew the memory",
            6,
        ),
        ("wasmoon", "the host got 12 blocks from `luaL_newstate` and freed 0", 7),
        ("web-tree-sitter", "the host got 25 blocks from `ts_parser_parse_wasm` and freed 0", 12),
        ("yoga-layout", "the host got 160 blocks from `func[151]` and freed 0", 6),
    ];
    for (package, words, line) in words {
        let clean = watched(package, "");
        let bad = |finding: &&Finding| finding.severity != Severity::Note;
        assert_eq!(clean.findings.iter().find(bad), None, "{package}: {clean}");
        let leak = watched_with(package, "", "leak");
        let first = &leak.findings[0];
        assert!(first.severity != Severity::Note && first.message.contains(words), "{leak}");
        let place = format!("examples/npm/{package}.mjs:{line}");
        let has_line = |finding: &Finding| {
            finding.message.contains(&place)
                || finding.stacks[0].stack.iter().any(|frame| frame.function.contains(&place))
        };
        assert!(has_line(first), "{place}: {leak}");
    }
}

/// What embind's objects leave when they are deleted, and what napi-rs leaves to finalizers, does not count as lost.
#[test]
fn notes_alone() {
    let programs = [("oxc-parser", ""), ("oxc-parser", "leak"), ("canvaskit", ""), ("pyodide", "")];
    for (package, argument) in programs {
        let report = watched_with(package, "", argument);
        let bad = |finding: &&Finding| finding.severity != Severity::Note;
        assert_eq!(report.findings.iter().find(bad), None, "{package}: {report}");
    }
}

/// Objects that the program forgets are counted by line, also where the module or the garbage collector of an
/// interpreter in it points to them.
#[test]
fn objects_are_left_to_finalizers() {
    let lines = [
        ("canvaskit", "100 at examples/npm/canvaskit.mjs:10"),
        ("pyodide", "30 at examples/npm/pyodide.mjs:9"),
    ];
    for (package, words) in lines {
        let report = watched_with(package, "", "leak");
        let waits = |finding: &&Finding| finding.code == Code::WaitsForFinalizer;
        let finding = report.findings.iter().find(waits).unwrap_or_else(|| panic!("{report}"));
        assert!(finding.message.contains(words), "{report}");
    }
}

/// wasm-bindgen leaves what is not freed to a finalizer. How many of these have run by the end is up to the engine.
#[test]
fn photon() {
    let clean = watched("photon", "");
    assert_eq!(clean.findings, [], "{clean}");
    let waiting = watched_with("photon", "", "leak");
    let waits = |finding: &&Finding| finding.code == Code::WaitsForFinalizer;
    let finding = waiting.findings.iter().find(waits).unwrap_or_else(|| panic!("{waiting}"));
    assert_eq!(finding.numbers["objects"], 40);
    // Each image that is left has two blocks.
    let blocks = finding.numbers["blocks"];
    assert!(blocks % 2 == 0 && (2..=80).contains(&blocks), "{waiting}");
    assert!(finding.message.contains("(registered at examples/npm/photon.mjs:6)"), "{waiting}");
}

/// The same without names.
#[test]
fn rosu() {
    let clean = watched("rosu", "");
    assert_eq!(clean.findings, [], "{clean}");
    let waiting = watched_with("rosu", "", "leak");
    let [finding] = &waiting.findings[..] else { panic!("{waiting}") };
    assert_eq!((finding.code, finding.numbers["blocks"]), (Code::WaitsForFinalizer, 150));
    assert_eq!(finding.numbers["objects"], 30);
    assert!(finding.message.contains("(registered at examples/npm/rosu.mjs:10)"), "{waiting}");
}

/// The same, where the finalizer gets an address behind the counts of an `Rc`.
#[test]
fn automerge() {
    let clean = watched("automerge", "");
    let codes = |report: &Report| {
        report.findings.iter().map(|finding| finding.code).collect::<BTreeSet<Code>>()
    };
    assert_eq!(codes(&clean), [Code::StillReachable].into(), "{clean}");
    assert!(clean.totals.allocations > 100_000, "{clean}");
    let waiting = watched_with("automerge", "", "leak");
    assert!(codes(&waiting).contains(&Code::WaitsForFinalizer), "{waiting}");
    assert!(waiting.findings.iter().all(|finding| finding.severity == Severity::Note), "{waiting}");
}
