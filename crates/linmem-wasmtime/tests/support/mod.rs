//! What the tests of linmem's numbers share: the guests that `scripts/build-guests` builds, and
//! runs of them with linmem and without.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod expected;
pub mod plain;

use std::fs;
use std::path::{Path, PathBuf};

use linmem::Prepared;
use linmem::allocator::Hints;
use linmem::report::{Code, Finding, InstanceReport, MemoryReport, Report};
use linmem_wasmtime::{Outcome, Run};

/// A program with what it is given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Program<'a> {
    /// The module.
    pub wasm: &'a [u8],
    /// Arguments, after the program's name.
    pub args: &'a [&'a str],
    /// What it reads from stdin.
    pub stdin: &'a [u8],
    /// A directory of the checkout that it may use, under the same name.
    pub dir: Option<&'a str>,
    /// Pages that its memory may grow to.
    pub max_pages: Option<u64>,
}

/// Its own name, as programs see it under linmem unless somebody gives them another one.
pub const PROGRAM_NAME: &str = "module.wasm";

/// A run under linmem.
#[derive(Debug)]
pub struct Observed {
    /// What the program did.
    pub outcome: Outcome,
    /// What linmem says about it.
    pub report: Report,
}

impl<'a> Program<'a> {
    /// A program that is given nothing.
    pub fn new(wasm: &'a [u8]) -> Program<'a> {
        Program { wasm, ..Program::default() }
    }

    /// Prepares a run under linmem.
    pub fn to_run(self) -> Run<'a> {
        self.to_run_with(&Hints::new())
    }

    /// The same, with hints about its allocator.
    pub fn to_run_with(self, hints: &Hints) -> Run<'a> {
        let prepared = Prepared::new(self.wasm, hints, None).expect("a valid module");
        let mut run = Run::of(prepared);
        run = run.args(self.args).stdin(self.stdin);
        if let Some(dir) = self.dir {
            run = run.dir(root().join(dir), dir).expect("a directory of the checkout");
        }
        match self.max_pages {
            Some(pages) => run.max_pages(pages),
            None => run,
        }
    }
}

/// Runs a program under linmem to its end.
pub fn observe(run: Run<'_>) -> Observed {
    let outcome = run.run().expect("the program can be started");
    let report = linmem::analyze(&outcome.trace).expect("linmem can read its own trace");
    assert!(!report.truncated, "the recording of a finished run is complete");
    Observed { outcome, report }
}

impl Observed {
    /// What the program wrote to stdout.
    pub fn stdout(&self) -> &str {
        std::str::from_utf8(&self.outcome.stdout).expect("guests write text")
    }

    /// The only instance.
    pub fn instance(&self) -> &InstanceReport {
        only_instance(&self.report)
    }

    /// The only memory.
    pub fn memory(&self) -> &MemoryReport {
        only_memory(&self.report)
    }
}

/// The only instance of a report.
pub fn only_instance(report: &Report) -> &InstanceReport {
    let [instance] = &report.instances[..] else { panic!("one instance, not {report}") };
    instance
}

/// The only memory of a report.
pub fn only_memory(report: &Report) -> &MemoryReport {
    let [memory] = &report.memories[..] else { panic!("one memory, not {report}") };
    memory
}

/// The only finding of this code.
pub fn only_finding(report: &Report, code: Code) -> &Finding {
    let found: Vec<_> = report.findings.iter().filter(|finding| finding.code == code).collect();
    let [finding] = found[..] else { panic!("one finding of {}, not {report}", code.name()) };
    finding
}

/// The folder that holds the whole project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A module that `scripts/build-guests` builds.
pub fn guest(file: &str) -> Vec<u8> {
    let path = root().join("target/guests").join(file);
    fs::read(&path).unwrap_or_else(|error| {
        panic!("no guest {file} ({error}): run scripts/build-guests --rust --real")
    })
}

/// A text file of the project.
pub fn text(file: &str) -> String {
    let read = fs::read_to_string(root().join(file));
    read.unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Assembles a small guest that is written down in a test.
pub fn assemble(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"))
}
