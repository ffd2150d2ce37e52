//! Every program of `tests/checks` has one bad access of memory, which `linmem check` finds in each of four builds,
//! and where; with an argument it has none, and nothing is found, nor by `linmem run`. One test for each program and build.
//!
//! Where linmem does not do that, a program says so (`// known: `), and the test says when it does.
//!
//! `tests/checks/README.md` says what the first lines of a program mean. Needs `scripts/build-checks`, which
//! `scripts/test` runs.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use linmem::export::read_json;
use linmem::report::{Finding, LabelledStack, Report, Severity, StackFrame};

use support::{linmem, root};

/// How each program is built, and whether the build has debug information.
const BUILDS: [(&str, bool); 4] = [("O0", true), ("O2", true), ("stripped", false), ("opt", false)];

fn main() {
    let arguments = Arguments::from_args();
    let programs = sources().into_iter().map(|path| Program::read(&path));
    let trials = programs.flat_map(|program| {
        BUILDS.map(|(build, has_lines)| {
            let program = program.clone();
            let name = format!("{}.{build}", program.name);
            Trial::test(name, move || program.check(build, has_lines))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn sources() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/checks")).expect("the programs are there");
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut sources: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "c")).collect();
    sources.sort();
    sources
}

/// A program and what its first lines say of it.
#[derive(Debug, Clone)]
struct Program {
    name: String,
    /// The line that ends in `// BUG`.
    line: u32,
    expected: Expected,
    /// A function that the library calls, whose frames say nothing of where the bug is.
    callback: Option<String>,
    /// The builds in which linmem does not do as expected, and the reason: `O2, opt (why)`.
    known: Option<String>,
}

/// What is to be found: `CODE [read|written|found BYTES at PLACE [of BLOCK] [times N]] [in FUNCTION]`.
#[derive(Debug, Clone)]
struct Expected {
    code: String,
    access: Option<Access>,
    function: String,
}

/// An access. What compilers and libraries may choose is `None`.
#[derive(Debug, Clone, Default)]
struct Access {
    /// What the stack of the access is called.
    label: String,
    bytes: Option<u64>,
    place: Option<Place>,
    /// Bytes of the block that it missed, or that was freed, if there is one.
    block: Option<Option<u64>>,
    times: Option<u64>,
}

/// Where an access begins.
#[derive(Debug, Clone, Copy)]
enum Place {
    Address(u64),
    FromStart(i64),
    FromEnd(i64),
}

impl Program {
    fn read(path: &Path) -> Program {
        let text = fs::read_to_string(path).expect("a program");
        let field = |name: &str| {
            let prefix = format!("// {name}: ");
            text.lines().find_map(|line| line.strip_prefix(&prefix))
        };
        let line = (1..).zip(text.lines()).find(|(_, line)| line.ends_with("// BUG"));
        Program {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            line: line.expect("a line that ends in // BUG").0,
            expected: Expected::parse(field("expect").expect("a line `// expect: `")),
            callback: field("callback").map(str::to_owned),
            known: field("known").map(str::to_owned),
        }
    }

    fn source(&self) -> String {
        format!("tests/checks/{}.c", self.name)
    }

    fn check(&self, build: &str, has_lines: bool) -> Result<(), Failed> {
        let module = format!("target/checks/{}.{build}.wasm", self.name);
        self.is_silent("run", &module).map_err(|why| format!("healthy, without checks: {why}"))?;
        let silent = self.is_silent("check", &module).map_err(|why| format!("healthy: {why}"));
        let found = || self.is_found(&module, has_lines).map_err(|why| format!("faulty: {why}"));
        match (silent.and_then(|()| found()), self.is_known_to_fail(build)) {
            (Ok(()), true) => Err("this is right now: take its build out of `// known: `".into()),
            (Ok(()), false) | (Err(_), true) => Ok(()),
            (Err(why), false) => Err(why.into()),
        }
    }

    /// Whether linmem is known not to find the bug in this build, or to say something else, and why.
    fn is_known_to_fail(&self, build: &str) -> bool {
        let builds = self.known.as_deref().and_then(|known| known.split_once(" (")?.0.into());
        builds.is_some_and(|builds: &str| builds.split(", ").any(|known| known == build))
    }

    fn is_silent(&self, command: &str, module: &str) -> Result<(), String> {
        let (exit_code, report) = report(command, module, &["--", "healthy"])?;
        expect(errors(&report).is_empty() && exit_code == Some(0), || {
            format!("exit code {exit_code:?}\n{report}")
        })
    }

    fn is_found(&self, module: &str, has_lines: bool) -> Result<(), String> {
        let (exit_code, report) = report("check", module, &[])?;
        let errors = errors(&report);
        let is_expected = |error: &&Finding| error.code.name() == self.expected.code;
        expect(exit_code == Some(1), || format!("exit code {exit_code:?}\n{report}"))?;
        expect(errors.iter().all(is_expected), || format!("other errors, too\n{report}"))?;
        let first = errors.first().ok_or_else(|| format!("no error\n{report}"))?;
        let place = first.stacks.first().ok_or_else(|| format!("no stack\n{report}"))?;
        if let Some(access) = &self.expected.access {
            access.is_that_of(first, place).map_err(|why| format!("{why}\n{report}"))?;
        }
        expect(self.is_at_the_bug(place, has_lines), || format!("not there\n{report}"))
    }

    /// Whether a stack leads to the bug. What the library does has no frames in the program's source.
    fn is_at_the_bug(&self, place: &LabelledStack, has_lines: bool) -> bool {
        if !has_lines {
            let is_told = |frame: &StackFrame| frame.offset.is_some() && !frame.function.is_empty();
            return place.stack.iter().any(is_told);
        }
        let source = self.source();
        let is_own = |frame: &&StackFrame| {
            frame.file.as_ref() == Some(&source) && Some(&frame.function) != self.callback.as_ref()
        };
        let innermost = place.stack.iter().find(is_own);
        innermost.is_some_and(|frame| {
            frame.line == Some(self.line) && frame.function == self.expected.function
        })
    }
}

impl Expected {
    fn parse(line: &str) -> Expected {
        let mut words = line.split_whitespace();
        let code = words.next().expect("a code").to_owned();
        let mut expected = Expected { code, access: None, function: "main".to_owned() };
        while let (Some(word), Some(value)) = (words.next(), words.next()) {
            match word {
                "in" => value.clone_into(&mut expected.function),
                _ => expected.access.get_or_insert_default().parse(word, value),
            }
        }
        expected
    }
}

impl Place {
    fn parse(text: &str) -> Place {
        let distance = |text: &str| -> i64 { text.parse().expect("+BYTES or -BYTES") };
        if let Some(bytes) = text.strip_prefix("start") {
            Place::FromStart(distance(bytes))
        } else if let Some(bytes) = text.strip_prefix("end") {
            Place::FromEnd(distance(bytes))
        } else {
            Place::Address(number(text))
        }
    }

    /// The address, of an access that is about a block or not.
    fn address(self, block: Option<(u64, u64)>) -> Option<u64> {
        match (self, block) {
            (Place::Address(address), _) => Some(address),
            (Place::FromStart(bytes), Some((start, _))) => start.checked_add_signed(bytes),
            (Place::FromEnd(bytes), Some((_, end))) => end.checked_add_signed(bytes),
            _ => None,
        }
    }
}

impl Access {
    /// Takes in a word of the line and the value behind it.
    fn parse(&mut self, word: &str, value: &str) {
        match word {
            "read" | "written" | "found" => {
                word.clone_into(&mut self.label);
                self.bytes = unless_open(value).map(number);
            }
            "at" => self.place = unless_open(value).map(Place::parse),
            "of" => self.block = Some(unless_open(value).map(number)),
            "times" => self.times = Some(number(value)),
            _ => panic!("`{word}` should be read, written, found, at, of, times or in"),
        }
    }

    /// Compares with what a finding says.
    fn is_that_of(&self, finding: &Finding, place: &LabelledStack) -> Result<(), &'static str> {
        let number = |name: &str| finding.numbers.get(name).copied();
        let (address, bytes) = (number("address"), number("bytes"));
        let (start, size) = (number("block_address"), number("block_bytes"));
        let block = start.zip(size).map(|(start, size)| (start, start + size));
        expect(place.label == self.label, || "not that way")?;
        expect(self.bytes.is_none() || bytes == self.bytes, || "not as many bytes")?;
        expect(size.is_some() == self.block.is_some(), || "not as to a block")?;
        let is_open = self.block.flatten().is_none();
        expect(is_open || size == self.block.flatten(), || "not of this block")?;
        expect(self.times.is_none() || number("times") == self.times, || "not as often")?;
        expect(self.place.is_none_or(|place| place.address(block) == address), || "elsewhere")?;
        let (address, bytes) = address.zip(bytes).ok_or("no address")?;
        let is_so = match (finding.code.name(), block) {
            ("heap-overflow", Some((start, end))) => address >= start && address + bytes > end,
            ("heap-underflow", Some((start, _))) => address < start,
            // Beside it only where the program says where.
            ("use-after-free", Some((start, end))) => {
                self.place.is_some() || address < end && address + bytes > start
            }
            ("block-overwritten", Some((_, end))) => address >= end,
            ("host-access", _) => true,
            (_, block) => block.is_none(),
        };
        expect(is_so, || "the code contradicts the numbers")
    }
}

/// What `*` leaves open is nothing.
fn unless_open(text: &str) -> Option<&str> {
    (text != "*").then_some(text)
}

/// A decimal number, or a hexadecimal one with `0x`.
fn number(text: &str) -> u64 {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.unwrap_or_else(|_| panic!("`{text}` should be a number"))
}

fn expect<E>(is_so: bool, why: impl FnOnce() -> E) -> Result<(), E> {
    if is_so { Ok(()) } else { Err(why()) }
}

fn errors(report: &Report) -> Vec<&Finding> {
    report.findings.iter().filter(|finding| finding.severity == Severity::Error).collect()
}

/// What `linmem check` reports of a module, and its exit code.
fn report(
    command: &str,
    module: &str,
    arguments: &[&str],
) -> Result<(Option<i32>, Report), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let json = directory.path().join("report.json");
    let mut linmem = linmem();
    linmem.args([command, "-q", "--json"]).arg(&json).arg(module).args(arguments);
    let output = linmem.output().map_err(|error| error.to_string())?;
    let text = fs::read(&json).map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let report = read_json(text.as_slice()).map_err(|error| error.to_string())?;
    Ok((output.status.code(), report))
}
