//! Other witnesses: SQLite's own counters, Valgrind on native builds, and QuickJS as it is
//! without linmem.

#[path = "side_by_side/binary.rs"]
mod binary;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use binary::Binary;
use linmem::allocator::{Evidence, Role};
use linmem::report::{Held, Totals};
use linmem::report::{HotSite, Report};
use linmem::trace::{Buffer, Event, Record, Trace, Writer};
use linmem::{Analysis, Prepared};
use linmem_wasmtime::Exit;
use support::{Observed, PROGRAM_NAME, Program, guest, observe, only_memory, plain, root};

/// What wasi-libc allocates for the program's arguments, and never frees: the texts, and a table
/// of pointers to them.
fn argv(args: &[&str]) -> Held {
    let texts = [PROGRAM_NAME].iter().chain(args).map(|text| text.len() as u64 + 1);
    let pointers = 4 * (args.len() as u64 + 2);
    Held { blocks: 2, bytes: texts.sum::<u64>() + pointers }
}

/// What was live after each event that left something else live.
fn history(trace: &Trace) -> Vec<Held> {
    let buffer = Buffer::default();
    let mut writer = Writer::new(buffer.clone());
    let mut analysis = Analysis::default();
    let mut history = vec![Held::default()];
    for record in trace.records() {
        let record = record.expect("the trace is sound");
        writer.record(&record);
        if let Record::Event(_) = record {
            writer.flush();
            analysis.push(&buffer.take()).expect("the same trace");
            let Totals { at_end, .. } = analysis.totals();
            let live = Held { blocks: at_end.blocks, bytes: at_end.bytes };
            if history.last() != Some(&live) {
                history.push(live);
            }
        }
    }
    history
}

mod sqlite {
    use super::*;

    /// A value now, and the highest so far.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Counter {
        now: u64,
        highest: u64,
    }

    /// What `sqlite3_status` said at one instant.
    #[derive(Debug, Clone, Copy)]
    struct Counters {
        bytes: Counter,
        blocks: Counter,
        largest_request: Counter,
    }

    /// The counters that the driver prints, each with the step that they were printed after.
    fn printed(stdout: &str) -> Vec<(&str, Counters)> {
        let lines: Vec<&str> = stdout.lines().collect();
        let steps = (0..lines.len()).filter(|&n| lines[n].ends_with(':'));
        let counter = |line: &str, name: &str| {
            let rest = line.trim_start().strip_prefix(name).unwrap_or_else(|| panic!("{line}"));
            let rest = rest.trim_start().strip_prefix("now").unwrap_or_else(|| panic!("{line}"));
            let (now, highest) = rest.split_once(", highest").unwrap_or_else(|| panic!("{line}"));
            let number = |text: &str| text.trim().parse().unwrap_or_else(|_| panic!("{line}"));
            Counter { now: number(now), highest: number(highest) }
        };
        let counters = |step: usize| Counters {
            bytes: counter(lines[step + 1], "bytes"),
            blocks: counter(lines[step + 2], "blocks"),
            largest_request: counter(lines[step + 3], "largest request"),
        };
        steps.map(|step| (lines[step].trim_end_matches(':'), counters(step))).collect()
    }

    fn run(args: &[&str]) -> Observed {
        let wasm = guest("sqlite.wasm");
        let observed = observe(Program { args, ..Program::new(&wasm) }.to_run());
        assert_eq!(observed.outcome.exit, Exit::Code(0));
        observed
    }

    /// What SQLite's counters would say at one instant.
    type Instant = (Counter, Counter);

    /// The history as SQLite counts it: without argv, and without the 8 bytes in which SQLite
    /// keeps the size of each block.
    fn as_sqlite_counts(history: &[Held], argv: Held) -> Vec<Instant> {
        let start = history.iter().position(|live| *live == argv).expect("argv comes first");
        let (mut most_bytes, mut most_blocks) = (0, 0);
        let counted = history[start..].iter().map(|live| {
            let blocks = live.blocks - argv.blocks;
            let bytes = live.bytes - argv.bytes - 8 * blocks;
            most_blocks = blocks.max(most_blocks);
            most_bytes = bytes.max(most_bytes);
            let bytes = Counter { now: bytes, highest: most_bytes };
            (bytes, Counter { now: blocks, highest: most_blocks })
        });
        counted.collect()
    }

    /// Whenever SQLite prints its counters, linmem has had the same blocks and the same bytes, now
    /// and at most.
    fn check_counters(observed: &Observed, args: &[&str]) -> Vec<Counters> {
        let history = as_sqlite_counts(&history(&observed.outcome.trace), argv(args));
        let printed = printed(observed.stdout());
        let mut past = 0;
        for (step, counters) in &printed {
            let instant = (counters.bytes, counters.blocks);
            let until = history[past..].iter().position(|counted| *counted == instant);
            past += until.unwrap_or_else(|| panic!("{step}: never {instant:?} after that"));
        }
        let (_, last) = printed.last().expect("the driver prints counters");
        let sizes = sizes(&observed.outcome.trace);
        let argv_sizes = 2;
        let largest = sizes[argv_sizes..].iter().max().expect("SQLite allocates");
        assert_eq!(*largest, last.largest_request.highest.next_multiple_of(8) + 8);
        printed.into_iter().map(|(_, counters)| counters).collect()
    }

    /// What each allocation and reallocation asked for.
    fn sizes(trace: &Trace) -> Vec<u64> {
        let size = |record| match record {
            Record::Event(Event::Allocated { size, .. }) => Some(size),
            Record::Event(Event::Reallocating { new_size, .. }) => Some(new_size),
            _ => None,
        };
        trace.records().map(|record| record.expect("the trace is sound")).filter_map(size).collect()
    }

    /// Also with numbers of rows at which other things are in memory.
    #[test]
    fn an_open_database_holds_what_sqlite_says() {
        for rows in ["1", "777", "20000"] {
            let args = [rows, "leave-open"];
            let observed = run(&args);
            let counters = check_counters(&observed, &args);
            let last = counters[counters.len() - 1];
            let at_end = observed.report.totals.at_end;
            let argv = argv(&args);
            assert_eq!(at_end.blocks, last.blocks.now + argv.blocks);
            assert_eq!(at_end.bytes, last.bytes.now + 8 * last.blocks.now + argv.bytes);
            let peak = observed.report.totals.at_peak.bytes;
            let most = last.bytes.highest + 8 * last.blocks.highest + argv.bytes;
            assert!((last.bytes.highest..=most).contains(&peak), "{peak} of at most {most}");
            // The library's static variables hold it all.
            assert!(!observed.report.has_errors(), "{}", observed.report);
            assert_eq!(only_memory(&observed.report).leaks.runtime, argv);
        }
    }

    /// The known numbers of the default run, so that nothing changes on both sides at once.
    #[test]
    fn the_numbers_of_20_000_rows() {
        let args = ["20000", "leave-open"];
        let observed = run(&args);
        let counters = check_counters(&observed, &args);
        let last = counters[counters.len() - 1];
        assert_eq!((last.blocks.now, last.blocks.highest), (324, 20_210));
        assert_eq!((last.bytes.now, last.bytes.highest), (1_224_992, 2_342_688));
        let at_end = observed.report.totals.at_end;
        assert_eq!((at_end.blocks, at_end.bytes), (326, 1_224_992 + 8 * 324 + argv(&args).bytes));
    }

    #[test]
    fn a_closed_database_holds_nothing() {
        let observed = run(&["20000"]);
        let counters = check_counters(&observed, &["20000"]);
        let last = counters[counters.len() - 1];
        assert_eq!((last.blocks.now, last.bytes.now), (0, 0));
        let totals = observed.report.totals;
        let counts = (totals.allocations, totals.reallocations, totals.frees);
        assert_eq!(counts, (42_073, 16, 42_071));
        assert!(observed.report.findings.is_empty(), "{}", observed.report);
        assert_eq!(only_memory(&observed.report).leaks.runtime, argv(&["20000"]));
        let plain = plain::run(Program { args: &["20000"], ..Program::new(&guest("sqlite.wasm")) });
        assert_eq!(plain.stdout, observed.outcome.stdout);
    }
}

mod quickjs {
    use super::*;

    fn script<'a>(wasm: &'a [u8], args: &'a [&'a str]) -> Program<'a> {
        Program { args, dir: Some("bench/guests"), ..Program::new(wasm) }
    }

    /// No error is found, and the program does not notice that it is watched.
    fn check_unharmed(wasm: &[u8], args: &[&str]) -> Report {
        let plain = plain::run(script(wasm, args));
        let observed = observe(script(wasm, args).to_run());
        let stdout = observed.stdout();
        assert!(stdout.contains("000 objects, 5000 kept, checksum "), "{stdout}");
        assert_eq!(plain.stdout, observed.outcome.stdout);
        assert_eq!((&plain.exit, &observed.outcome.exit), (&Exit::Code(0), &Exit::Code(0)));
        let growth = &observed.memory().growth;
        assert_eq!(plain.memory.granted, growth.growths);
        assert_eq!(plain.memory.pages, observed.report.totals.at_end.pages);
        assert!(!observed.report.has_errors(), "{}", observed.report);
        assert!(observed.report.misuse().is_empty());
        observed.report
    }

    /// Whether the stack leads through this function of QuickJS's interpreter, with its line.
    fn runs_javascript(site: &HotSite) -> bool {
        site.stack.iter().any(|frame| {
            let file = frame.file.as_deref().unwrap_or_default();
            frame.function == "JS_CallInternal"
                && Path::new(file).file_name().is_some_and(|name| name == "quickjs.c")
                && frame.line.is_some()
        })
    }

    /// Without its arena QuickJS calls malloc for each of 200,000 objects.
    #[test]
    fn two_million_events_without_an_error() {
        let report = check_unharmed(&guest("qjs-noarena.wasm"), &["bench/guests/objects.js"]);
        assert!(report.events > 2_000_000, "{} events", report.events);
        let totals = report.totals;
        assert_eq!(totals.allocations - totals.frees, totals.at_end.blocks);
        let sites = &only_memory(&report).hot_sites;
        for ranking in [&sites.allocations, &sites.bytes] {
            assert!(ranking.iter().any(runs_javascript), "{report}");
        }
    }

    #[test]
    fn as_it_is_with_its_arena() {
        let report = check_unharmed(&guest("qjs.wasm"), &["bench/guests/objects.js", "20"]);
        assert!(report.totals.allocations > 100, "{report}");
    }
}

mod valgrind {
    use super::*;

    /// Valgrind's summary of a program.
    #[derive(Debug, PartialEq, Eq)]
    struct Summary {
        allocs: u64,
        frees: u64,
        bytes: u64,
        in_use: Held,
    }

    /// What a native C library allocates for stdout, and a guest's does not.
    const STDOUT_BUFFER: u64 = 4_096;

    fn run(command: &mut Command, package: &str) -> Output {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = command.output().unwrap_or_else(|error| {
            panic!("cannot run {name} ({error}): install it, on Debian with `apt-get install {package}`")
        });
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} failed: {stderr}");
        output
    }

    /// Builds a C program for this machine.
    fn compile(source: &str) -> PathBuf {
        let name = Path::new(source).file_stem().expect("a file's name");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        run(Command::new("gcc").arg("-O2").arg(root().join(source)).arg("-o").arg(&program), "gcc");
        program
    }

    fn under_valgrind(program: &Path, args: &[&str]) -> (Summary, Vec<u8>) {
        let output = run(Command::new("valgrind").arg(program).args(args), "valgrind");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let [in_use_bytes, in_use_blocks] = numbers_after(&text, "in use at exit:");
        let [allocs, frees, bytes] = numbers_after(&text, "total heap usage:");
        let in_use = Held { blocks: in_use_blocks, bytes: in_use_bytes };
        (Summary { allocs, frees, bytes, in_use }, output.stdout)
    }

    /// The numbers in the line that contains `title`, behind it.
    fn numbers_after<const N: usize>(text: &str, title: &str) -> [u64; N] {
        let line = text.lines().find_map(|line| line.split_once(title)).map(|(_, rest)| rest);
        let line = line.unwrap_or_else(|| panic!("Valgrind does not say `{title}`: {text}"));
        let words = line.split_whitespace().map(|word| word.replace(',', ""));
        let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
        numbers
            .try_into()
            .unwrap_or_else(|numbers| panic!("{N} numbers in `{line}`, not {numbers:?}"))
    }

    /// linmem's figures in Valgrind's terms: to it, a reallocation is an allocation and a free.
    fn as_valgrind_counts(totals: Totals) -> Summary {
        Summary {
            allocs: totals.allocations + totals.reallocations,
            frees: totals.frees + totals.reallocations,
            bytes: totals.allocated_bytes,
            in_use: Held { blocks: totals.at_end.blocks, bytes: totals.at_end.bytes },
        }
    }

    #[test]
    fn the_pattern_has_the_same_numbers() {
        let native = compile("examples/valgrind_pattern.c");
        let (summary, _) = under_valgrind(&native, &[]);
        let in_use = Held { blocks: 10, bytes: 5_030 };
        assert_eq!(summary, Summary { allocs: 183, frees: 173, bytes: 69_588, in_use });
        let observed = observe(Program::new(&guest("valgrind_pattern.wasm")).to_run());
        assert_eq!(as_valgrind_counts(observed.report.totals), summary);
    }

    /// Programs with more to do, which print to stdout and take arguments: the two blocks of argv
    /// are the guest's, and the buffer of stdout is the native program's.
    #[test]
    fn larger_programs_have_the_same_numbers() {
        let programs = [
            ("examples/recursion.c", "recursion.wasm", "1", true),
            ("bench/guests/string_build.c", "string_build.wasm", "1", true),
            // Their nodes hold pointers, which have another size here.
            ("bench/guests/binary_trees.c", "binary_trees.wasm", "6", false),
            ("bench/guests/hash_map.c", "hash_map.wasm", "20", false),
        ];
        for (source, wasm, arg, same_sizes) in programs {
            let (native, stdout) = under_valgrind(&compile(source), &[arg]);
            let observed = observe(Program { args: &[arg], ..Program::new(&guest(wasm)) }.to_run());
            assert_eq!(observed.outcome.stdout, stdout, "{source}");
            let guest = as_valgrind_counts(observed.report.totals);
            let argv = argv(&[arg]);
            assert_eq!(guest.allocs - argv.blocks, native.allocs - 1, "{source}");
            assert_eq!(guest.frees, native.frees - 1, "{source}");
            assert_eq!((guest.in_use, native.in_use), (argv, Held::default()), "{source}");
            if same_sizes {
                assert_eq!(guest.bytes - argv.bytes, native.bytes - STDOUT_BUFFER, "{source}");
            }
            assert!(observed.report.findings.is_empty(), "{source}: {}", observed.report);
        }
    }
}

/// What a module's names say about functions that are known by their shape, in every program that has
/// names: each has a role that fits its name, and `malloc` and `free` are found wherever they are.
#[test]
fn shapes_are_what_names_say() {
    let named = |role| match role {
        Role::Malloc => &["malloc", "dlmalloc"][..],
        Role::Free => &["free", "dlfree"],
        Role::Calloc => &["calloc", "dlcalloc"],
        Role::Realloc => &["realloc", "dlrealloc"],
        Role::AlignedAlloc => &["aligned_alloc", "memalign", "internal_memalign"],
        Role::PosixMemalign => &["posix_memalign"],
        _ => &[],
    };
    // The crate dlmalloc's are methods, with mangled names.
    let is_method = |role, name: &str| {
        let method = match role {
            Role::MethodMalloc => "6malloc",
            Role::MethodFree => "4free",
            Role::MethodRealloc => "7realloc",
            Role::GlobalAlloc => "8memalign",
            _ => return false,
        };
        name.contains("8Dlmalloc") && name.contains(method)
    };
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join("target/guests")).expect("scripts/build-guests ran") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.ends_with(".wasm") || name.matches('.').count() > 1 {
            continue;
        }
        let wasm = fs::read(&path).expect("a guest");
        let names = Binary::read(&wasm).expect("a module").names;
        let stripped = without_custom_sections(&wasm);
        let prepared = Prepared::new(&stripped, &Vec::new(), None).expect("a module");
        for hooked in prepared.inspect().expect("it is printed").coverage.hooked {
            if !matches!(hooked.evidence, Evidence::Shape(_)) {
                continue;
            }
            let is_called = names[&hooked.function];
            let is_named = named(hooked.role).contains(&is_called);
            assert!(
                is_named || is_method(hooked.role, is_called),
                "{name}: {is_called}: {hooked:?}"
            );
            *found.entry(is_called.to_owned()).or_insert(0) += 1;
        }
    }
    let least = [
        ("dlmalloc", 20),
        ("dlfree", 20),
        ("calloc", 10),
        ("realloc", 5),
        ("internal_memalign", 1),
    ];
    for (name, times) in least {
        assert!(found.get(name).is_some_and(|found| *found >= times), "{name}: {found:?}");
    }
}

/// The module without names and debug information.
fn without_custom_sections(wasm: &[u8]) -> Vec<u8> {
    let mut stripped = wasm[..8].to_vec();
    let mut reader = wasmparser::BinaryReader::new(&wasm[8..], 0);
    while !reader.eof() {
        let start = reader.original_position();
        let id = reader.read_u8().expect("a section");
        let length = reader.read_var_u32().expect("its length") as usize;
        let end = reader.original_position() + length;
        reader.read_bytes(length).expect("its bytes");
        if id != 0 {
            stripped.extend_from_slice(&wasm[8..][start..end]);
        }
    }
    stripped
}
