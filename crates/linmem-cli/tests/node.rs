//! `linmem node`: the story's test in its three stages, and what becomes of the program's own end.

mod support;

use std::process::Output;

use linmem::export::read_json;
use linmem::report::{Code, Finding, Report, Severity};
use support::Scene;

/// Runs a command under `linmem node`, and reads the report.
fn watched(scene: &Scene, command: &str) -> (Output, Report) {
    let output = scene.run(&format!("linmem node -q --json $TMP/report.json {command}"));
    let text = std::fs::read(scene.path("report.json")).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    (output, read_json(text.as_slice()).unwrap())
}

fn only(report: &Report, code: Code) -> &Finding {
    let mut findings = report.findings.iter().filter(|finding| finding.code == code);
    let finding = findings.next().unwrap_or_else(|| panic!("no {}:\n{report}", code.name()));
    assert!(findings.next().is_none(), "{report}");
    finding
}

fn functions(finding: &Finding, stack: usize) -> Vec<&str> {
    finding.stacks[stack].stack.iter().map(|frame| frame.function.as_str()).collect()
}

#[test]
fn the_suspicious_test_watched_an_idle_instance() {
    let scene = Scene::new();
    let (output, report) = watched(&scene, "-- node --test examples/story/1-suspicious.test.mjs");
    assert_eq!(output.status.code(), Some(0));
    let idle = only(&report, Code::WatchedIdleInstance);
    assert_eq!(
        idle.message,
        "the memory whose size was read 9 times belongs to instance 1, which was not called and \
         allocated nothing between the readings; the work was done in instances 2 to 18, which made \
         34 allocations; each grew from 2 to 6 pages and freed everything, all of it after the last \
         reading"
    );
    assert_eq!(functions(idle, 0)[0], "size (examples/story/long.mjs:11)");
    assert_eq!(functions(idle, 1)[0], "instantiate (examples/story/strings.mjs:9)");
    let answer = report.answers.first().map(String::as_str).unwrap_or_default();
    assert!(answer.contains("Await the work, and let it use the instance"), "{answer}");
    assert!(
        answer.contains("All 9 sizes that the program read, by the buffer's length"),
        "{answer}"
    );
    assert_eq!(report.totals.at_end.blocks, 0);
    assert!(report.to_string().starts_with("linmem: strings.wasm: 1 warning\n\nThe memory whose"));
}

#[test]
fn the_second_test_measured_too_early() {
    let scene = Scene::new();
    let (_, report) = watched(&scene, "-- node --test examples/story/2-not-awaited.test.mjs");
    let early = only(&report, Code::MeasuredTooEarly);
    assert_eq!((early.numbers["readings"], early.numbers["allocations_after"]), (6, 34));
}

/// Stacks go from the C function through the library to the test.
#[test]
fn the_right_test_needs_no_growth() {
    let scene = Scene::new();
    let (output, report) = watched(&scene, "examples/story/3-right.test.mjs");
    assert_eq!(output.status.code(), Some(0));
    let reused = only(&report, Code::Reused);
    assert_eq!(reused.numbers["allocations"], 32);
    assert!(report.findings.iter().all(|finding| finding.severity == Severity::Note), "{report}");
    let growth = &report.memories[0].growth.sites[0].stack;
    let functions: Vec<&str> = growth.iter().map(|frame| frame.function.as_str()).collect();
    let at = |name: &str| functions.iter().position(|function| *function == name);
    let allocate = at("allocate").unwrap_or_else(|| panic!("{functions:?}"));
    assert_eq!(growth[allocate].line, Some(13));
    assert!(at("createCString (examples/story/strings.mjs:16)") > Some(allocate), "{functions:?}");
}

#[test]
fn every_other_cause_has_a_variant() {
    let scene = Scene::new();
    for (variant, code, status) in [
        ("room-to-spare", Code::RoomToSpare, 0),
        ("foreign-memory", Code::ForeignMemory, 0),
        ("grew-and-held", Code::GrewAndHeld, 0),
        ("instance-per-call", Code::InstancePerCall, 0),
        ("not-given-back", Code::LeakHostHeld, 0),
        ("null-ignored", Code::NullIgnored, 1),
    ] {
        let (output, report) = watched(&scene, &format!("examples/story/variants/{variant}.mjs"));
        assert_eq!(output.status.code(), Some(status), "{variant}");
        only(&report, code);
        assert!(!report.answers.is_empty(), "{variant}: {report}");
    }
    let (output, report) = watched(&scene, "examples/story/variants/stale-view.mjs");
    assert_eq!(output.status.code(), Some(1));
    let stale: Vec<_> = report.findings.iter().filter(|f| f.code == Code::StaleView).collect();
    assert_eq!(stale.len(), 2, "{report}");
}

#[test]
fn the_programs_own_end_is_kept() {
    let scene = Scene::new();
    let script = scene.path("exits.mjs");
    std::fs::write(&script, "console.log(process.argv[2]); process.exitCode = 7;").unwrap();
    let output = scene.run("linmem node $TMP/exits.mjs hello");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(output.stdout, b"hello\n");
    assert_eq!(output.stderr, b"linmem: the program made no WebAssembly instance to watch\n");
}

/// Whoever reads the JSON finds it.
#[test]
fn a_program_in_which_nothing_could_be_watched_has_a_report_too() {
    let scene = Scene::new();
    let script = scene.path("refused.mjs");
    let wat = r#"(module (import "env" "__memory_base" (global i32)) (memory 1) (func))"#;
    let linked = wat::parse_str(wat).unwrap();
    let text = format!("new WebAssembly.Module(Uint8Array.from({linked:?}));");
    std::fs::write(&script, text).unwrap();
    let line = "linmem node --check --json $TMP/report.json -o $TMP/report.txt $TMP/refused.mjs";
    assert_eq!(scene.run(line).status.code(), Some(2));
    let text = std::fs::read_to_string(scene.path("report.txt")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "linmem: nothing was watched, so nothing is known of the program");
    let report = read_json(&std::fs::read(scene.path("report.json")).unwrap()).unwrap();
    assert_eq!(report.notes, &lines[1..], "{text}");
    assert_eq!(report.notes.len(), 1, "{text}");
    assert!(report.instances.is_empty());
}
