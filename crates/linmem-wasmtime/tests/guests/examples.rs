//! The guests of `examples`, in all the ways in which `scripts/build-guests` builds them.

use std::collections::BTreeSet;
use std::fs;

use linmem::allocator::Evidence;
use linmem::report::{HookedFunction, InstanceReport};

use crate::support::expected::{Differences, End, Expected, Left, NOTHING};
use crate::support::{Observed, guest, observe, plain, root};
use crate::table::GUESTS;

/// Runs `differences` for each of these, and fails with all of the differences together.
fn for_each<'e>(
    guests: impl IntoIterator<Item = &'e Expected>,
    differences: impl Fn(&Expected) -> Differences,
) {
    let mut all = String::new();
    for expected in guests {
        for difference in differences(expected).0 {
            all += &format!(
                "\n{}, at most {:?} pages: {difference}",
                expected.guest, expected.max_pages
            );
        }
    }
    assert!(all.is_empty(), "{all}");
}

fn observed(expected: &Expected, suffix: &str) -> Observed {
    observe(expected.program(&guest(&expected.file(suffix))).to_run())
}

#[test]
fn every_report_is_right_to_the_last_number() {
    for_each(GUESTS, |expected| expected.differences(&observed(expected, "")));
}

/// The engine itself is the witness here, and the guest has not been touched.
#[test]
fn every_guest_does_what_it_does_in_plain_wasmtime() {
    for_each(GUESTS, |expected| {
        let wasm = guest(&expected.file(""));
        let plain = plain::run(expected.program(&wasm));
        let observed = observe(expected.program(&wasm).to_run());
        let growth = &observed.memory().growth;
        let growths = plain::Growths {
            pages: observed.memory().totals.at_end.pages,
            granted: growth.growths,
            refused: growth.refused,
        };
        let mut differences = Differences::default();
        differences.compare("exit", &plain.exit, &observed.outcome.exit);
        differences.compare("stdout", &plain.stdout, &observed.outcome.stdout);
        differences.compare("growths", plain.memory, growths);
        differences
    });
}

/// Stripping moves no function, so the indices that names gave serve as hints.
#[test]
fn stripped_guests_with_hints_give_the_same_numbers() {
    for_each(GUESTS, |expected| {
        let named = observed(expected, "");
        let wasm = guest(&expected.file(".stripped"));
        let hooked = &named.instance().coverage.hooked;
        let hints = hooked.iter().map(|f| (f.role, f.function.to_string())).collect();
        let observed = observe(expected.program(&wasm).to_run_with(&hints));
        let coverage = &observed.instance().coverage;
        let by_flag = |f: &HookedFunction| f.evidence == Evidence::Flag;
        assert!(coverage.hooked.iter().all(by_flag), "{}: {coverage}", expected.guest);
        let mut differences = Differences::default();
        differences.compare("hooked functions", hooked.len(), coverage.hooked.len());
        differences.compare(
            "lines",
            false,
            observed.instance().source_lines == linmem::report::SourceLines::Known,
        );
        without_names(expected).compare_heap(&observed, &mut differences);
        expected.compare_memory(&observed, &mut differences);
        differences
    });
}

/// The same, except that without names linmem cannot know whether `main` had returned when
/// the program exited by itself.
fn without_names(expected: &Expected) -> Expected {
    let exits = matches!(expected.end, End::Exit(code) if code != 0);
    let leaves_any = expected.left.sum() != (0, 0);
    let left =
        if exits && leaves_any { Left::NotJudged(expected.left.sum()) } else { expected.left };
    Expected { left, ..*expected }
}

/// Without names wasi-libc's allocator is known by its shape, and the numbers are the same.
#[test]
fn stripped_guests_give_the_same_numbers() {
    // The first two have allocators of their own; Rust checks sizes in functions that have no shape; and
    // where nothing frees, nothing is claimed.
    let other = ["bump", "overlap", "rust_wrong_layout", "trap"];
    let guests = GUESTS.iter().filter(|expected| !other.contains(&expected.guest));
    for_each(guests, |expected| {
        let observed = observed(expected, ".stripped");
        let coverage = &observed.instance().coverage;
        let by_shape = |f: &HookedFunction| matches!(f.evidence, Evidence::Shape(_));
        let mut differences = Differences::default();
        differences.compare("shapes", true, coverage.hooked.iter().all(by_shape));
        differences.compare("unseen", 0, coverage.unseen.len());
        without_names(expected).compare_heap(&observed, &mut differences);
        expected.compare_memory(&observed, &mut differences);
        differences
    });
}

/// `wasm-opt` leaves no name and inlines `malloc` into the only function that calls it: then nothing
/// is known of the heap, and nothing must be claimed.
#[test]
fn guests_without_an_allocator_are_not_judged() {
    let mut judged = BTreeSet::new();
    for suffix in [".stripped", ".opt", ".opt-g"] {
        // The Rust guests are not built with wasm-opt.
        let built = |guest: &&Expected| suffix == ".stripped" || !guest.guest.starts_with("rust_");
        let guests = GUESTS.iter().filter(built).filter(|expected| {
            let unknown = observed(expected, suffix).instance().coverage.hooked.is_empty();
            judged.insert((suffix, unknown));
            unknown
        });
        for_each(guests, |expected| {
            let observed = observed(expected, suffix);
            let mut differences = Differences::default();
            NOTHING.compare_heap(&observed, &mut differences);
            expected.compare_growths(&observed, &mut differences);
            differences.compare("findings", 0, observed.report.findings.len());
            differences.compare("exit", expected.exit(), observed.outcome.exit.clone());
            differences.compare("stdout", expected.stdout, observed.stdout());
            differences.0.extend(dishonesty(expected, observed.instance()));
            differences
        });
    }
    assert!(
        judged.contains(&(".opt", true)) && judged.contains(&(".stripped", true)),
        "{judged:?}"
    );
}

/// What a report on a guest of which nothing is hooked fails to say.
fn dishonesty(expected: &Expected, instance: &InstanceReport) -> Option<String> {
    let coverage = &instance.coverage;
    // The allocator of `overlap` never grows the memory, so nothing gives it away. Where wasm-opt has put `malloc` into
    // its callers, none is left that could be it.
    let has_grower = expected.guest != "overlap";
    let honest = coverage.hooked.is_empty()
        && coverage.unseen.is_empty() != has_grower
        && coverage.unseen.iter().all(|unseen| !unseen.entries.is_empty());
    (!honest).then(|| format!("the report says {coverage}"))
}

#[test]
fn every_example_is_in_the_table() {
    // These are driven from outside: by properties.rs, by reactor.rs here, and by the tests of
    // linmem-strings.
    let mut known: BTreeSet<String> =
        ["examples/random_ops.c", "examples/strings.c", "examples/greeting.c"]
            .map(String::from)
            .into();
    known.extend(GUESTS.iter().map(|expected| expected.source.to_owned()));
    let mut examples = BTreeSet::new();
    for folder in ["examples", "examples/rust/src/bin"] {
        let entries = fs::read_dir(root().join(folder)).expect("a folder of the checkout");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
        let sources = names.flatten().filter(|name| name.ends_with(".c") || name.ends_with(".rs"));
        examples.extend(sources.map(|name| format!("{folder}/{name}")));
    }
    assert_eq!(known, examples);
}
