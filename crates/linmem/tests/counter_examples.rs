//! Each kind of finding, and each other sentence of a report, has a program of which it would be false, and a test with
//! that: `docs/counter-examples.md`.

use std::fs;
use std::path::{Path, PathBuf};

use linmem::report::{Code, SENTENCES};

/// The rows of the nth table: what is said, program, test.
fn rows(table: usize) -> Vec<[&'static str; 3]> {
    let document = include_str!("../../../docs/counter-examples.md");
    let table = document.split("|---|---|---|").nth(table).expect("a table");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        std::array::from_fn(|_| cells.next().expect("a cell").trim_matches('`').trim())
    })
    .collect()
}

/// The text of all tests, in Rust and in JavaScript.
fn tests() -> String {
    sources(&["crates", "packages/linmem/test"])
}

/// The text of all Rust and JavaScript in these folders.
fn sources(folders: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pending: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut text = String::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder");
            pending.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "js") {
            text += &fs::read_to_string(&path).expect("a source");
        }
    }
    text
}

/// Whether there is such a test: `program: way` is a use of a program in `cases.test.js`; a sentence is the name of
/// another test in JavaScript.
fn is_known(tests: &str, test: &str) -> bool {
    if ['"', '`'].iter().any(|quote| tests.contains(&format!("({quote}{test}{quote}, "))) {
        return true;
    }
    let Some((program, way)) = test.split_once(": ") else {
        return tests.contains(&format!("fn {test}("));
    };
    let mut uses =
        tests.split("\nprogram(").filter(|part| part.starts_with(&format!("\"{program}\"")));
    uses.any(|part| {
        let spelled = [format!("\n  \"{way}\""), format!("\n  {way}")];
        spelled
            .iter()
            .any(|way| ["(", ":"].iter().any(|next| part.contains(&format!("{way}{next}"))))
    })
}

fn sorted<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    let mut texts: Vec<&str> = texts.collect();
    texts.sort_unstable();
    texts
}

/// That a table has a row for each of these, and none besides, and that its tests exist.
#[track_caller]
fn assert_rows<'t>(rows: &[[&'t str; 3]], all: impl Iterator<Item = &'t str>) {
    assert_eq!(sorted(rows.iter().map(|[said, ..]| *said)), sorted(all));
    assert_tests(rows);
}

#[track_caller]
fn assert_tests(rows: &[[&str; 3]]) {
    let tests = tests();
    for [said, _, test] in rows {
        assert!(is_known(&tests, test), "there is no test {test}, for {said}");
    }
}

#[test]
fn each_code_has_a_counter_example() {
    assert_rows(&rows(1), Code::ALL.iter().map(|code| code.name()));
}

#[test]
fn each_sentence_has_a_counter_example() {
    assert_rows(&rows(2), SENTENCES.iter().copied());
}

/// The words of a note stand in the sources, whatever is filled in and however the lines are broken.
#[test]
fn each_note_has_a_counter_example() {
    let sources = sources(&[
        "crates/linmem/src",
        "crates/linmem-wasmtime/src",
        "crates/linmem-cli/src",
        "packages/linmem/src",
    ]);
    let continued = sources.replace("\" +\n", "").replace("\\\n", "");
    let words: Vec<&str> = continued.split_whitespace().collect();
    let text = words.join(" ");
    let rows = rows(3);
    assert!(rows.len() > 10);
    for [note, ..] in &rows {
        for part in note.split("{}").map(str::trim).filter(|part| part.len() > 3) {
            assert!(text.contains(part), "nothing notes {part:?}, of {note}");
        }
    }
    assert_tests(&rows);
}

#[test]
fn a_test_that_does_not_exist_is_not_known() {
    let tests = "fn a_test() {\nprogram(\"two\", {\n  first(report) {\n  \"then, late\": x,\n";
    for known in ["a_test", "two: first", "two: then, late"] {
        assert!(is_known(tests, known), "{known}");
    }
    assert!(is_known(
        "watched(`a sentence, with ${options}`, () => {",
        "a sentence, with ${options}"
    ));
    for unknown in ["another_test", "a sentence", "two: last", "one: first", "two: then"] {
        assert!(!is_known(tests, unknown), "{unknown}");
    }
}
