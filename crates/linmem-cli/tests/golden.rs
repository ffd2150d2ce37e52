//! Golden transcripts: every file in `tests/golden` is a list of commands, each with the stdout,
//! stderr and exit code that belong to it. One test a file.
//!
//! ```text
//! $ linmem run --max-pages 4 examples/null_ignored.wasm
//! [stdout]
//! hello
//! [stderr]
//! linmem: null_ignored.wasm: 1 error
//! ...
//! [exit code 1]
//! ```
//!
//! To add one, write a file with its `$` lines only and run
//! `SNAPSHOTS=overwrite cargo test --release -p linmem-cli --test golden`, which also brings the
//! others up to date.
//!
//! Commands run at the root of the checkout, with `$TMP` for a new directory that holds
//! `tests/modules/*.wat` as `.wasm` and the broken files of [`support::fixtures`]. Words are
//! separated by spaces; `NAME=VALUE` words before `linmem` set variables. Times are written as
//! `0`, the escape character as `␛`, and a NUL as `␀`.
//!
//! The README's terminal sessions are tested too: what it shows must be what a run prints, where
//! a line with `...` stands for any number of lines.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use snapbox::assert::DEFAULT_ACTION_ENV;
use snapbox::{Assert, Data};

use support::{Scene, root};

fn main() {
    let mut trials: Vec<Trial> = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"))
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Trial::test(name, move || transcript(&path))
        })
        .collect();
    trials.push(Trial::test("readme", || sessions(&root().join("README.md"))));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the golden files are there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn transcript(path: &Path) -> Result<(), Failed> {
    let scene = Scene::new();
    let expected = Data::read_from(path, None).raw();
    let text = fs::read_to_string(path)?;
    let commands = text.lines().filter_map(|line| line.strip_prefix("$ "));
    let actual: Vec<String> = commands.map(|command| entry(&scene, command)).collect();
    let assert = Assert::new().action_env(DEFAULT_ACTION_ENV);
    assert
        .try_eq(Some(&path.display()), Data::text(actual.join("\n")), expected)
        .map_err(|error| Failed::from(error.to_string()))
}

fn entry(scene: &Scene, command: &str) -> String {
    let output = scene.run(command);
    let mut entry = format!("$ {command}\n");
    for (title, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            entry.push_str(&format!("[{title}]\n{}", scene.readable(bytes)));
        }
    }
    match output.status.code() {
        Some(code) => entry.push_str(&format!("[exit code {code}]\n")),
        None => entry.push_str("[killed]\n"),
    }
    entry
}

/// Checks the ```` ```console ```` blocks of a document.
fn sessions(path: &Path) -> Result<(), Failed> {
    let text = fs::read_to_string(path)?;
    let scene = Scene::new();
    let mut sessions = 0;
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for session in block.split("$ ").skip(1) {
            let (command, shown) = session.split_once('\n').unwrap_or((session, ""));
            let command = command.replace("cargo run --release --", "linmem");
            if !command.starts_with("linmem") {
                continue;
            }
            let output = scene.run(&command);
            let printed = [scene.readable(&output.stdout), scene.readable(&output.stderr)].concat();
            sessions += 1;
            Assert::new()
                .try_eq(Some(&command), Data::text(printed), Data::text(shown))
                .map_err(|error| Failed::from(error.to_string()))?;
        }
    }
    if sessions == 0 { Err("the document shows no session".into()) } else { Ok(()) }
}
