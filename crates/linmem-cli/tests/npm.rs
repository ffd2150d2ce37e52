//! Packages from npm, as they are: each does the same watched and not, and reports name what did it.
//! Needs `npm ci` in `examples/npm`, which `scripts/test` does.

mod support;

use std::process::{Command, Output};

use linmem::report::{HotSite, Report, json};
use support::{Scene, root};

fn plain(script: &str) -> Output {
    let node = Command::new("node").arg(script).current_dir(root()).output();
    let output = node.expect("node is installed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "npm ci in examples/npm? {error}");
    output
}

/// Runs the script of a package, and compares.
fn watched(package: &str, options: &str) -> Report {
    let script = format!("examples/npm/{package}.mjs");
    let plain = plain(&script);
    let scene = Scene::new();
    let output = scene.run(&format!("linmem node -q --json $TMP/report.json {options} {script}"));
    assert_eq!(output.stdout, plain.stdout, "{package}");
    assert_eq!(output.stderr, plain.stderr, "{package}");
    assert_eq!(output.status, plain.status, "{package}");
    let text = std::fs::read(scene.path("report.json")).expect("a report");
    json::read(text.as_slice()).expect("a report")
}

/// The stacks of an instance's hot sites, each as one line.
fn stacks(report: &Report, instance: usize) -> Vec<String> {
    let line = |site: &HotSite| {
        site.stack.iter().map(|frame| &*frame.function).collect::<Vec<_>>().join(" < ")
    };
    report.instances[instance].hot_sites.allocations.iter().map(line).collect()
}

fn assert_some(stacks: &[String], parts: &[&str]) {
    let found = stacks.iter().any(|stack| parts.iter().all(|part| stack.contains(part)));
    assert!(found, "none of {stacks:#?} has {parts:?}");
}

/// Emscripten with minified names: nothing is found until the names are given.
#[test]
fn sql_js() {
    assert_eq!(watched("sql.js", "").totals.allocations, 0);
    let report = watched("sql.js", "--malloc Ia --free Ja --top 50");
    assert!(report.totals.allocations > 500, "{report}");
    assert!(report.totals.frees > 300, "{report}");
    assert_some(&stacks(&report, 0), &["Ia < ", "examples/npm/sql.js.mjs:"]);
}

/// Emscripten with names, and a second module that is linked to the first and shares its memory.
#[test]
fn web_tree_sitter() {
    let report = watched("web-tree-sitter", "--top 50");
    assert_eq!(report.instances.len(), 2);
    assert_some(&stacks(&report, 0), &["ts_parser__reduce", "examples/npm/web-tree-sitter.mjs:10"]);
    assert!(report.totals.allocations > 20 && report.totals.reallocations > 10, "{report}");
}

/// wasm-bindgen: a stack that goes from JavaScript into the module and out and in again.
#[test]
fn resvg() {
    let report = watched("resvg", "");
    let functions =
        ["__wbindgen_malloc", "passStringToWasm0", "resvg_new", "examples/npm/resvg.mjs:7"];
    assert_some(&stacks(&report, 0), &functions);
}

/// AssemblyScript, Emscripten and Go whose allocators have no names: their memories are watched.
#[test]
fn memories_alone() {
    for (package, pages) in [("as-sha256", 1), ("libsodium", 64)] {
        let report = watched(package, "");
        assert_eq!(report.instances[0].totals.at_end.pages, pages, "{package}");
        assert_eq!(report.totals.allocations, 0, "{package}");
    }
    // In a child process, which is killed when it is not needed any more.
    let report = watched("esbuild", "");
    assert_eq!(report.instances[0].initial_pages, 95);
}
