//! `docs/report-json.md` against the code: no field of a report goes without a description.

mod support;

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use support::{Scene, root};

#[test]
fn every_field_of_a_report_is_described() {
    let document = fs::read_to_string(root().join("docs/report-json.md")).unwrap();
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
