//! A test of the house rules: dependencies point one way along the pipeline, and the library names no
//! engine, no files, no terminal and no clock.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules in their order: each may use itself and those before it.
const ORDER: [&str; 16] = [
    "error",
    "units",
    "module",
    "trace",
    "language",
    "allocator",
    "prepared",
    "instrument",
    "record",
    "replay",
    "report",
    "inspect",
    "analyze",
    "export",
    "generated",
    "lib",
];

/// The one exception: the methods of `Prepared` forward to the stages that it is prepared for.
const FORWARDS: [(&str, &str); 2] = [("prepared", "instrument"), ("prepared", "inspect")];

/// What only a host may do.
const FORBIDDEN: [&str; 6] =
    ["wasmtime::", "std::fs", "println!", "Instant::now", "SystemTime", "print!("];

/// A source file as the rules see it.
struct Source {
    path: PathBuf,
    /// The module that it belongs to: the first part of its path.
    module: String,
    /// Without comments.
    code: String,
}

impl Source {
    fn new(path: &Path, text: &str) -> Source {
        let first = path.components().next().expect("a path").as_os_str().to_string_lossy();
        let module = first.strip_suffix(".rs").unwrap_or(&first).to_owned();
        let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        Source { path: path.to_owned(), module, code: lines.collect::<Vec<_>>().join("\n") }
    }

    /// The modules that it names: `crate::NAME` and `crate::{NAME, ...}`.
    fn uses(&self) -> Vec<&str> {
        let named =
            self.code.split("crate::").skip(1).flat_map(|rest| match rest.strip_prefix('{') {
                Some(list) => items(list),
                None => vec![rest],
            });
        named.map(word).filter(|name| ORDER.contains(name)).collect()
    }

    /// What breaks the rules.
    fn offences(&self) -> Vec<String> {
        let place = self.path.display();
        let Some(own) = rank(&self.module) else {
            return vec![format!("{place}: {} has no place in the order", self.module)];
        };
        let backwards = self.uses().into_iter().filter(|used| {
            rank(used) > Some(own) && !FORWARDS.contains(&(self.module.as_str(), used))
        });
        let backwards = backwards.map(|used| format!("{place}: {} uses {used}", self.module));
        let forbidden = FORBIDDEN.iter().filter(|word| self.code.contains(**word));
        backwards.chain(forbidden.map(|word| format!("{place}: names {word}"))).collect()
    }
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

/// The word at the beginning.
fn word(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The items of a list in braces, up to its closing brace.
fn items(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&list[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            let inside = path.strip_prefix(&root).expect("a path below src");
            if path.is_dir() {
                folders.push(path);
            } else if inside != Path::new("layers.rs") {
                let text = fs::read_to_string(&path).expect("a source");
                sources.push(Source::new(inside, &text));
            }
        }
    }
    sources
}

#[test]
fn dependencies_point_one_way() {
    let sources = sources();
    assert!(sources.len() > 50, "only {} sources were found", sources.len());
    let offences: Vec<String> = sources.iter().flat_map(Source::offences).collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn offences_are_seen() {
    let offences = |path: &str, text: &str| Source::new(Path::new(path), text).offences();
    assert!(
        offences("analyze/leaks.rs", "use crate::report::Finding; // crate::export").is_empty()
    );
    let renderer = "use crate::{\n    report::{Code, Finding},\n    export::text,\n};";
    assert_eq!(offences("analyze/leaks.rs", renderer), ["analyze/leaks.rs: analyze uses export"]);
    let inline = "fn f() { crate::analyze::findings() }";
    assert_eq!(offences("report.rs", inline), ["report.rs: report uses analyze"]);
    assert_eq!(offences("trace/a.rs", "use wasmtime::Store;"), ["trace/a.rs: names wasmtime::"]);
    assert!(offences("utils.rs", "")[0].ends_with("has no place in the order"));
    assert!(offences("prepared.rs", "use crate::inspect;").is_empty(), "it forwards");
}
