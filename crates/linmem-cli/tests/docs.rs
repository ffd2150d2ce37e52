//! The documents in `docs` against the code: the example trace is read, and no field of a report
//! goes without a description.

mod support;

use std::collections::BTreeSet;
use std::fs;

use linmem::trace::{ContextId, Event, Frame, Record, UNKNOWN_SIZE};
use linmem::{Trace, analyze};
use serde_json::Value;
use support::{Scene, root};

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The bytes of the first ```` ```hex ```` block; what follows a `;` is a comment.
fn example_bytes(document: &str) -> Vec<u8> {
    let block = document.split("```hex\n").nth(1).unwrap().split("```").next().unwrap();
    let words = block.lines().flat_map(|line| line.split(';').next().unwrap().split_whitespace());
    words.map(|word| u8::from_str_radix(word, 16).unwrap()).collect()
}

#[test]
fn the_example_trace_reads_as_it_says() {
    let trace = Trace::from_bytes(example_bytes(&document("trace-format.md")));
    let records: Vec<Record> = trace.records().map(Result::unwrap).collect();
    let (first, second) = (ContextId(0), ContextId(1));
    let wasm = |function, offset| Frame::Wasm { function, offset };
    let expected = [
        Record::Module {
            name: "tiny.wasm".to_owned(),
            bytes: wat::parse_str("(module (memory 1))").unwrap(),
            allocator: r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#.to_owned(),
        },
        Record::Instance { module: 0, initial_pages: 1, max_pages: None },
        Record::Event(Event::Called { function: 3, times: 1 }),
        Record::Context { frames: vec![wasm(3, None), wasm(5, Some(328))] },
        Record::Event(Event::Allocated { pointer: 4096, size: 100, align: 0, context: first }),
        Record::Context { frames: vec![wasm(5, Some(334))] },
        Record::Event(Event::Freed {
            pointer: 4096,
            size: UNKNOWN_SIZE,
            align: 0,
            context: second,
        }),
        Record::Event(Event::Allocated { pointer: 4096, size: 20, align: 16, context: first }),
        Record::Event(Event::Reallocating {
            pointer: 4096,
            old_size: UNKNOWN_SIZE,
            align: 0,
            new_size: 40,
            context: second,
        }),
        Record::Event(Event::Grown {
            delta_pages: 2,
            previous_pages: Some(1),
            in_allocator: true,
            context: second,
        }),
        Record::Event(Event::Reallocated { pointer: 4224 }),
        Record::Snapshot { pages: 3, frames_live: false, globals: vec![(0, 4096)] },
        Record::SnapshotBytes { address: 4096, bytes: 4224u32.to_le_bytes().to_vec() },
        Record::Exit { code: 0 },
        Record::Clock { micros: 1000 },
    ];
    assert_eq!(records, expected);

    let report = analyze(&trace).unwrap();
    assert!(!report.truncated);
    assert_eq!(report.leaks().len(), 1, "{report}");
}

#[test]
fn every_field_of_a_report_is_described() {
    let document = document("report-json.md");
    let scene = Scene::new();
    let mut names = BTreeSet::new();
    for line in [
        "run examples/leaks.wasm",
        "run examples/double_free.wasm",
        "run --max-pages 4 examples/null_ignored.wasm",
        "run examples/steady_growth.wasm",
        "run $TMP/trap.wasm",
        "run $TMP/unnamed.wasm",
        "call examples/strings.wasm count_as a*131072 --times 4",
        "call examples/strings.wasm upper a --returns string --times 4",
        "call $TMP/values.wasm fail_at 3 --times 4",
    ] {
        scene.run(&format!("linmem {line} -q --json $TMP/x.json"));
        let json = fs::read(scene.path("x.json")).unwrap();
        collect_names(&serde_json::from_slice(&json).unwrap(), &mut names);
    }
    let missing: Vec<_> =
        names.iter().filter(|name| !document.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/report-json.md does not describe {missing:?}");
}

/// The names of all fields, and the values of those that have a few fixed ones.
fn collect_names(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                names.insert(name.clone());
                if let ("code" | "severity" | "kind" | "role", Some(text)) =
                    (&name[..], value.as_str())
                {
                    names.insert(text.to_owned());
                }
                collect_names(value, names);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|value| collect_names(value, names)),
        _ => {}
    }
}
