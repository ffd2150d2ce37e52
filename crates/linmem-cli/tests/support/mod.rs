//! What the tests of the program share: a directory with modules good and bad, and the program.

#![allow(dead_code, reason = "each test uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A new directory in which commands find the files of [`fixtures`].
pub struct Scene {
    directory: TempDir,
}

impl Scene {
    pub fn new() -> Scene {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fixtures(directory.path());
        Scene { directory }
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a command line: `NAME=VALUE`s, `linmem`, and words that may hold `$TMP`.
    pub fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("linmem starts")
    }

    /// The command of a line, to be started by the caller.
    pub fn command(&self, line: &str) -> Command {
        let temporary = self.directory.path().to_str().expect("a path that is text");
        let mut words = line.split_whitespace().map(|word| word.replace("$TMP", temporary));
        let mut command = linmem();
        for word in words.by_ref().take_while(|word| word != "linmem") {
            let (name, value) = word.split_once('=').expect("NAME=VALUE or linmem");
            command.env(name, value);
        }
        command.args(words);
        command
    }

    /// What a run printed, without what differs between two runs.
    pub fn readable(&self, bytes: &[u8]) -> String {
        let temporary = self.directory.path().to_str().expect("a path that is text");
        let text = String::from_utf8_lossy(bytes).replace(temporary, "$TMP");
        let text = text.replace('\x1b', "␛").replace('\0', "␀");
        text.split_inclusive('\n').map(without_time).collect()
    }
}

/// The line of JSON that holds a time, with 0 for it.
fn without_time(line: &str) -> String {
    match line.split_once("\"micros\": ") {
        Some((indent, _)) => format!("{indent}\"micros\": 0\n"),
        None => line.to_owned(),
    }
}

/// The program, at the root of the checkout, with no stdin and none of the variables that change
/// what it prints.
pub fn linmem() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linmem"));
    command.current_dir(root()).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "TERM", "CI"] {
        command.env_remove(name);
    }
    command
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A committed example.
pub fn example(name: &str) -> Vec<u8> {
    fs::read(root().join(format!("examples/{name}.wasm"))).expect("a committed example")
}

/// Fills a directory with `tests/modules/*.wat` as `.wasm`, and with files that are not modules.
fn fixtures(directory: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(directory.join(name), bytes).unwrap();
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules");
    for entry in fs::read_dir(modules).unwrap() {
        let wat = entry.unwrap().path();
        let name = wat.file_stem().unwrap().to_str().unwrap();
        write(&format!("{name}.wasm"), &wat::parse_file(&wat).unwrap());
    }
    write("empty.wasm", b"");
    write("text.txt", b"This is no module, and no recording either.\n");
    write("module.wat", b"(module (memory 1))\n");
    write("component.wasm", &wat::parse_str("(component)").unwrap());
    write("truncated.wasm", &example("leaks")[..5000]);
    // A call of a function that is not there.
    write(
        "invalid.wasm",
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x06\x01\x04\0\x10\x09\x0b",
    );
}
