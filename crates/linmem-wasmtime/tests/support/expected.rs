//! What a guest's report must say, to the last number, and the comparison with what it says.

use std::fmt::Debug;

use linmem::report::Held;
use linmem::report::{Code, EndReport, Finding, Severity, Stack, Trend};
use linmem_wasmtime::Exit;

use super::{Observed, Program, text};

/// Blocks and bytes.
pub type Blocks = (u64, u64);

/// A stack as a test writes it down: the innermost function, then each function of the example
/// with a piece of the line that it is at, as in `main: free(name);`.
pub type Frames = &'static [&'static str];

/// All that is to be said about one run of a guest.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Its file in `target/guests`, without `.wasm`.
    pub guest: &'static str,
    /// Its source.
    pub source: &'static str,
    pub args: &'static [&'static str],
    pub max_pages: Option<u64>,
    pub end: End,
    pub stdout: &'static str,
    pub allocations: u64,
    pub reallocations: u64,
    pub frees: u64,
    pub failed: u64,
    /// By all allocations and reallocations.
    pub allocated_bytes: u64,
    pub at_peak: Blocks,
    /// What is left at the end, by kind.
    pub left: Left,
    /// Pages at the start and at the end.
    pub pages: (u64, u64),
    /// Growths that succeeded.
    pub growths: u64,
    pub rest: Rest,
    /// In the order of the report: worst first.
    pub findings: &'static [Find],
}

/// What is left at the end.
#[derive(Debug, Clone, Copy)]
pub enum Left {
    /// Blocks of each kind.
    Judged {
        definite: Blocks,
        indirect: Blocks,
        possible: Blocks,
        reachable: Blocks,
        runtime: Blocks,
    },
    /// linmem cannot say of which kind they are.
    NotJudged(Blocks),
}

impl Left {
    pub const NOTHING: Left = Left::Judged {
        definite: (0, 0),
        indirect: (0, 0),
        possible: (0, 0),
        reachable: (0, 0),
        runtime: (0, 0),
    };

    /// Nothing but lost blocks.
    pub const fn definite(blocks: u64, bytes: u64) -> Left {
        Left::Judged {
            definite: (blocks, bytes),
            indirect: (0, 0),
            possible: (0, 0),
            reachable: (0, 0),
            runtime: (0, 0),
        }
    }

    /// Blocks of every kind.
    pub fn sum(self) -> Blocks {
        match self {
            Left::NotJudged(blocks) => blocks,
            Left::Judged { definite, indirect, possible, reachable, runtime } => {
                [definite, indirect, possible, reachable, runtime]
                    .into_iter()
                    .fold((0, 0), |sum, blocks| (sum.0 + blocks.0, sum.1 + blocks.1))
            }
        }
    }
}

/// How a guest ends.
#[derive(Debug, Clone, Copy)]
pub enum End {
    Exit(i32),
    /// The engine's words, and where.
    Trap(&'static str, Frames),
}

/// Whether the memory comes to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    NeverGrew,
    /// Since so many allocations and reallocations, that which grew it included.
    Steady(u64),
    /// The last growth came with the last of so many allocations and reallocations.
    Growing(u64),
}

/// One finding.
#[derive(Debug, Clone, Copy)]
pub struct Find {
    pub code: Code,
    /// Those of the finding's numbers that are the same everywhere. `offset` is how far into the
    /// block the pointer points.
    pub numbers: &'static [(&'static str, u64)],
    /// What its sentence contains.
    pub says: &'static str,
    /// Each stack with its label.
    pub stacks: &'static [(&'static str, Frames)],
}

/// A guest that allocates nothing, to be completed.
pub const NOTHING: Expected = Expected {
    guest: "",
    source: "",
    args: &[],
    max_pages: None,
    end: End::Exit(0),
    stdout: "",
    allocations: 0,
    reallocations: 0,
    frees: 0,
    failed: 0,
    allocated_bytes: 0,
    at_peak: (0, 0),
    left: Left::NOTHING,
    pages: (2, 2),
    growths: 0,
    rest: Rest::NeverGrew,
    findings: &[],
};

/// Differences, each in one line: a whole report side by side with another is unreadable.
#[derive(Debug, Default)]
pub struct Differences(pub Vec<String>);

impl Differences {
    pub fn compare<T: PartialEq + Debug>(&mut self, what: &str, expected: T, is: T) {
        if expected != is {
            self.0.push(format!("{what}: expected {expected:?}, but it is {is:?}"));
        }
    }
}

impl Expected {
    /// The guest as it is run: `suffix` is `""`, `".stripped"`, `".opt"` or `".opt-g"`.
    pub fn file(&self, suffix: &str) -> String {
        format!("{}{suffix}.wasm", self.guest)
    }

    pub fn program<'a>(&self, wasm: &'a [u8]) -> Program<'a> {
        Program { args: self.args, max_pages: self.max_pages, ..Program::new(wasm) }
    }

    /// All that the report must say.
    pub fn differences(&self, observed: &Observed) -> Differences {
        let mut differences = Differences::default();
        self.compare_end(observed, &mut differences);
        self.compare_heap(observed, &mut differences);
        self.compare_memory(observed, &mut differences);
        self.compare_findings(observed, &mut differences);
        differences
    }

    /// How the program ends.
    pub fn exit(&self) -> Exit {
        match self.end {
            End::Exit(code) => Exit::Code(code),
            End::Trap(words, _) => Exit::Trap(words.to_owned()),
        }
    }

    pub fn compare_end(&self, observed: &Observed, differences: &mut Differences) {
        differences.compare("stdout", self.stdout, observed.stdout());
        differences.compare("exit", &self.exit(), &observed.outcome.exit);
        match (self.end, observed.report.end.as_ref()) {
            (End::Exit(code), Some(EndReport::Exit { code: reported })) => {
                differences.compare("reported exit code", code, *reported);
            }
            (End::Trap(words, frames), Some(EndReport::Trap { message, stack })) => {
                differences.compare("reported trap", words, message);
                differences.compare("trap's stack", frames_of(frames, self), shown(stack));
            }
            (expected, reported) => {
                differences.0.push(format!("end: expected {expected:?}, reported {reported:?}"));
            }
        }
    }

    pub fn compare_heap(&self, observed: &Observed, differences: &mut Differences) {
        let totals = &observed.memory().totals;
        differences.compare("allocations", self.allocations, totals.allocations);
        differences.compare("reallocations", self.reallocations, totals.reallocations);
        differences.compare("frees", self.frees, totals.frees);
        differences.compare("failed", self.failed, totals.failed);
        differences.compare("allocated bytes", self.allocated_bytes, totals.allocated_bytes);
        let at_peak = (totals.at_peak.blocks, totals.at_peak.bytes);
        differences.compare("at peak", self.at_peak, at_peak);
        let at_end = (totals.at_end.blocks, totals.at_end.bytes);
        differences.compare("at end", self.left.sum(), at_end);
        differences.compare("totals of all instances", *totals, observed.report.totals);
        self.compare_leaks(observed, differences);
    }

    fn compare_leaks(&self, observed: &Observed, differences: &mut Differences) {
        let leaks = &observed.memory().leaks;
        let blocks = |held: Held| (held.blocks, held.bytes);
        match self.left {
            Left::NotJudged(_) => {
                differences.compare("leaks are judged", false, leaks.not_judged.is_none());
            }
            Left::Judged { definite, indirect, possible, reachable, runtime } => {
                differences.compare("leaks not judged", None, leaks.not_judged.as_deref());
                differences.compare("definite", definite, blocks(leaks.definite));
                differences.compare("indirect", indirect, blocks(leaks.indirect));
                differences.compare("possible", possible, blocks(leaks.possible));
                differences.compare("reachable", reachable, blocks(leaks.reachable));
                differences.compare("runtime", runtime, blocks(leaks.runtime));
                differences.compare("host-held", (0, 0), blocks(leaks.host_held));
            }
        }
    }

    /// The memory's growth, which shows even where no allocator function is known.
    pub fn compare_growths(&self, observed: &Observed, differences: &mut Differences) {
        let memory = observed.memory();
        let pages = (memory.initial_pages, memory.totals.at_end.pages);
        differences.compare("pages at start and end", self.pages, pages);
        differences.compare("maximum", self.max_pages, memory.max_pages);
        differences.compare("growths", self.growths, memory.growth.growths);
    }

    pub fn compare_memory(&self, observed: &Observed, differences: &mut Differences) {
        self.compare_growths(observed, differences);
        let memory = observed.memory();
        let events = self.allocations + self.reallocations;
        let rest = match memory.growth.trend {
            Trend::NeverGrew => Rest::NeverGrew,
            Trend::Steady { after_allocations, of_allocations } => {
                differences.compare("allocations of the trend", events, of_allocations);
                Rest::Steady(after_allocations)
            }
            Trend::Growing { after_allocations, of_allocations } => {
                differences.compare("allocations of the trend", events, of_allocations);
                Rest::Growing(after_allocations)
            }
            other => panic!("a trend that no guest has: {other:?}"),
        };
        differences.compare("trend", self.rest, rest);
    }

    pub fn compare_findings(&self, observed: &Observed, differences: &mut Differences) {
        let findings = &observed.report.findings;
        let names = |codes: &mut dyn Iterator<Item = Code>| -> Vec<&str> {
            codes.map(Code::name).collect()
        };
        let expected = names(&mut self.findings.iter().map(|find| find.code));
        let is = names(&mut findings.iter().map(|finding| finding.code));
        let same = expected == is;
        differences.compare("findings", expected, is);
        if same {
            for (expected, finding) in self.findings.iter().zip(findings) {
                self.compare_finding(expected, finding, differences);
            }
        }
    }

    fn compare_finding(&self, expected: &Find, finding: &Finding, differences: &mut Differences) {
        let code = expected.code.name();
        let severity = severity(expected.code);
        differences.compare(&format!("{code}: severity"), severity, finding.severity);
        for &(name, value) in expected.numbers {
            let is = match name {
                "offset" => offset(finding),
                _ => finding.numbers.get(name).copied(),
            };
            differences.compare(&format!("{code}: {name}"), Some(value), is);
        }
        if !finding.message.contains(expected.says) {
            let message = &finding.message;
            differences.0.push(format!("{code}: does not say `{}` but `{message}`", expected.says));
        }
        let stacks: Vec<_> = expected
            .stacks
            .iter()
            .map(|(label, frames)| ((*label).to_owned(), frames_of(frames, self)))
            .collect();
        let is =
            finding.stacks.iter().map(|labelled| (labelled.label.clone(), shown(&labelled.stack)));
        differences.compare(&format!("{code}: stacks"), stacks, is.collect());
    }
}

/// How bad each finding is, as the project promises.
fn severity(code: Code) -> Severity {
    match code {
        Code::LeakPossible | Code::LeakHostHeld => Severity::Warning,
        Code::LeakIndirect
        | Code::StillReachable
        | Code::AllocationFailed
        | Code::NotJudged
        | Code::PerhapsLost => Severity::Note,
        _ => Severity::Error,
    }
}

/// How far a pointer points into the block that its finding is about.
fn offset(finding: &Finding) -> Option<u64> {
    finding.numbers.get("pointer")?.checked_sub(*finding.numbers.get("block_address")?)
}

/// What is compared of a frame: function, file and line.
type Place = (String, Option<(String, u32)>);

fn frames_of(frames: Frames, guest: &Expected) -> Vec<Place> {
    let place = |frame: &&str| match frame.split_once(": ") {
        None => ((*frame).to_owned(), None),
        Some((function, code)) => {
            let line = line_of(guest.source, function, code);
            (function.to_owned(), Some((guest.source.to_owned(), line)))
        }
    };
    frames.iter().map(place).collect()
}

/// The innermost frame, and those of the example itself; what the libraries put between them is
/// their business.
fn shown(stack: &Stack) -> Vec<Place> {
    let mut places = Vec::new();
    for (index, frame) in stack.iter().enumerate() {
        let place = frame.file.clone().zip(frame.line);
        let place = place.filter(|(file, _)| file.starts_with("examples/"));
        if index == 0 || place.is_some() {
            places.push((frame.function.clone(), place));
        }
    }
    places
}

/// The line in a function of a source that contains `code`, of which there must be exactly one.
fn line_of(source: &str, function: &str, code: &str) -> u32 {
    let text = text(source);
    let name = function.rsplit("::").next().unwrap_or(function);
    let defines = |line: &str| {
        line.contains(&format!("{name}(")) && line.ends_with('{') && !line.starts_with(' ')
    };
    let body = (1..).zip(text.lines()).skip_while(|(_, line)| !defines(line));
    let body = body.take_while(|(_, line)| !line.starts_with('}'));
    let found: Vec<u32> = body.filter(|(_, line)| line.contains(code)).map(|(n, _)| n).collect();
    let [line] = found[..] else {
        panic!("`{code}` is in lines {found:?} of {function} in {source}, not in one")
    };
    line
}
