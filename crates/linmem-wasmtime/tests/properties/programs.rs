//! Random programs for `examples/random_ops.c`, against a model that only knows what C promises.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use linmem::Mode;
use linmem::report::{Code, Held, LeakSummary, Report};
use linmem_wasmtime::Exit;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::cases;
use crate::support::{Observed, Program, guest, observe, plain};

/// Slots of the guest that programs use: few, so that most operations meet a block.
const SLOTS: usize = 24;

/// What the guest can be told to do.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Malloc { slot: usize, size: u64 },
    Calloc { slot: usize, count: u64, size: u64 },
    Realloc { slot: usize, size: u64 },
    AlignedAlloc { slot: usize, align: u64, size: u64 },
    PosixMemalign { slot: usize, align: u64, size: u64 },
    Free { slot: usize },
}

use Operation::{AlignedAlloc, Calloc, Free, Malloc, PosixMemalign, Realloc};

/// As the guest reads it.
impl Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Malloc { slot, size } => writeln!(f, "m {slot} {size}"),
            Calloc { slot, count, size } => writeln!(f, "c {slot} {count} {size}"),
            Realloc { slot, size } => writeln!(f, "r {slot} {size}"),
            AlignedAlloc { slot, align, size } => writeln!(f, "a {slot} {align} {size}"),
            PosixMemalign { slot, align, size } => writeln!(f, "p {slot} {align} {size}"),
            Free { slot } => writeln!(f, "f {slot}"),
        }
    }
}

/// Sizes that an allocator can give, or could never give: nothing in between, where it would
/// depend on the allocator.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0u64),
        20 => 1..=64u64,
        20 => 65..=5_000u64,
        2 => 60_000..=200_000u64,
        1 => 0xf000_0000..=0xffff_ffffu64,
    ]
}

/// Factors whose product does or does not fit into 32 bits.
fn factors() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![
        20 => (0..=64u64, 0..=64u64),
        2 => size().prop_map(|size| (size, 1)),
        1 => size().prop_map(|size| (size, 0)),
        2 => (0x1_0000..=0xffff_ffffu64, 0x1_0000..=0xffff_ffffu64),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let slot = || 0..SLOTS;
    let power_of_two = (0..=12u32).prop_map(|bits| 1u64 << bits);
    // posix_memalign takes powers of two that are multiples of a pointer's size.
    let align = prop_oneof![
        6 => (2..=12u32).prop_map(|bits| 1u64 << bits),
        1 => prop::sample::select(vec![0u64, 2, 12]),
    ];
    prop_oneof![
        4 => (slot(), size()).prop_map(|(slot, size)| Malloc { slot, size }),
        2 => (slot(), factors()).prop_map(|(slot, (count, size))| Calloc { slot, count, size }),
        4 => (slot(), size()).prop_map(|(slot, size)| Realloc { slot, size }),
        1 => (slot(), power_of_two, size())
            .prop_map(|(slot, align, size)| AlignedAlloc { slot, align, size }),
        1 => (slot(), align, size())
            .prop_map(|(slot, align, size)| PosixMemalign { slot, align, size }),
        5 => slot().prop_map(|slot| Free { slot }),
    ]
}

/// A block of the model.
#[derive(Debug, Clone, Copy)]
struct Block {
    size: u64,
    /// The function that it comes from: `main` has one call of each.
    from: &'static str,
    /// How many blocks had been asked for with success, this one included.
    serial: u64,
}

/// What the heap must look like.
#[derive(Debug, Default)]
struct Model {
    slots: [Option<Block>; SLOTS],
    /// Blocks whose slot was overwritten.
    lost: Vec<Block>,
    allocations: u64,
    reallocations: u64,
    frees: u64,
    failed: u64,
    temporary: u64,
    allocated_bytes: u64,
    peak: Held,
    /// Calls of functions that report twice: before and after.
    realloc_calls: u64,
    other_calls: u64,
    /// Allocations and bytes in all, by the function asked.
    from: BTreeMap<&'static str, Held>,
}

impl Model {
    fn of(program: &[Operation]) -> Model {
        let mut model = Model::default();
        for operation in program {
            model.execute(*operation);
        }
        model
    }

    fn execute(&mut self, operation: Operation) {
        match operation {
            Realloc { .. } => self.realloc_calls += 1,
            _ => self.other_calls += 1,
        }
        match operation {
            Malloc { slot, size } => self.allocate(slot, size, "malloc", true),
            Calloc { slot, count, size } => {
                self.allocate(slot, count.saturating_mul(size), "calloc", true);
            }
            AlignedAlloc { slot, size, .. } => self.allocate(slot, size, "aligned_alloc", true),
            PosixMemalign { slot, align, size } => {
                let valid = align.is_power_of_two() && align >= 4;
                self.allocate(slot, size, "posix_memalign", valid);
            }
            Realloc { slot, size } => self.reallocate(slot, size),
            Free { slot } => self.free(slot),
        }
    }

    fn asked_for(&self) -> u64 {
        self.allocations + self.reallocations
    }

    /// Whether an allocator can give so much. A NULL for 0 bytes does not count as a failure.
    fn succeeds(&mut self, size: u64, valid: bool) -> bool {
        let succeeds = valid && size < 0xf000_0000;
        self.failed += u64::from(!succeeds && size > 0);
        succeeds
    }

    fn allocate(&mut self, slot: usize, size: u64, from: &'static str, valid: bool) {
        self.lost.extend(self.slots[slot].take());
        if self.succeeds(size, valid) {
            self.allocations += 1;
            self.put(slot, size, from);
        }
    }

    fn reallocate(&mut self, slot: usize, size: u64) {
        if !self.succeeds(size, true) {
            return;
        }
        match self.slots[slot].take() {
            Some(_) => self.reallocations += 1,
            None => self.allocations += 1,
        }
        self.put(slot, size, "realloc");
    }

    fn put(&mut self, slot: usize, size: u64, from: &'static str) {
        self.slots[slot] = Some(Block { size, from, serial: self.asked_for() });
        self.allocated_bytes += size;
        *self.from.entry(from).or_default() += Held { blocks: 1, bytes: size };
        let live = self.live();
        if live.bytes > self.peak.bytes {
            self.peak = live;
        }
    }

    fn free(&mut self, slot: usize) {
        if let Some(block) = self.slots[slot].take() {
            self.frees += 1;
            self.temporary += u64::from(block.serial == self.asked_for());
        }
    }

    fn live(&self) -> Held {
        held(self.slots.iter().flatten().chain(&self.lost))
    }
}

fn held<'b>(blocks: impl Iterator<Item = &'b Block>) -> Held {
    blocks.fold(Held::default(), |mut held, block| {
        held += Held { blocks: 1, bytes: block.size };
        held
    })
}

/// The program as the guest reads it, filled up with spaces to whole words: the end of the text,
/// followed by zeros, could look like a pointer in the guest's buffer, and hide a leak.
fn text(program: &[Operation]) -> String {
    let text: String = program.iter().map(ToString::to_string).collect();
    let spaces = 1 + text.len().wrapping_neg() % 4;
    text.replacen(' ', &" ".repeat(spaces), 1)
}

fn run(wasm: &[u8], program: &[Operation], mode: Mode) -> Observed {
    let text = text(program);
    let program = Program { stdin: text.as_bytes(), ..Program::new(wasm) };
    let observed = observe(program.to_run().mode(mode));
    assert_eq!(observed.outcome.exit, Exit::Code(0), "the guest understood all of the program");
    observed
}

fn check(report: &Report, model: &Model) -> Result<(), TestCaseError> {
    let totals = report.totals;
    prop_assert_eq!(totals.allocations, model.allocations);
    prop_assert_eq!(totals.reallocations, model.reallocations);
    prop_assert_eq!(totals.frees, model.frees);
    prop_assert_eq!(totals.failed, model.failed);
    prop_assert_eq!(totals.temporary, model.temporary);
    prop_assert_eq!(totals.allocated_bytes, model.allocated_bytes);
    let at_peak = Held { blocks: totals.at_peak.blocks, bytes: totals.at_peak.bytes };
    prop_assert_eq!(at_peak, model.peak);
    let at_end = Held { blocks: totals.at_end.blocks, bytes: totals.at_end.bytes };
    prop_assert_eq!(at_end, model.live());
    prop_assert!(report.misuse().is_empty());
    check_leaks(report, model)?;
    check_sites(report, model)?;
    let growth = &report.memories[0].growth;
    let events = model.other_calls + 2 * model.realloc_calls + growth.log.len() as u64;
    prop_assert_eq!(report.events, events);
    Ok(())
}

/// Blocks in slots are reachable, and all others are lost.
fn check_leaks(report: &Report, model: &Model) -> Result<(), TestCaseError> {
    let leaks = &report.memories[0].leaks;
    let mut expected = LeakSummary::default();
    expected.definite = held(model.lost.iter());
    expected.reachable = held(model.slots.iter().flatten());
    prop_assert_eq!(leaks, &expected);
    Ok(())
}

/// Each function that allocates is one call site.
fn check_sites(report: &Report, model: &Model) -> Result<(), TestCaseError> {
    let sites = &report.memories[0].hot_sites.allocations;
    let mut allocated = BTreeMap::new();
    let mut left: BTreeMap<&str, Held> = BTreeMap::new();
    for site in sites {
        let name = site.stack[0].function.as_str();
        allocated.insert(name, Held { blocks: site.allocations, bytes: site.bytes });
        left.insert(name, site.at_end);
    }
    prop_assert_eq!(&allocated, &model.from);
    let mut expected: BTreeMap<&str, Held> =
        model.from.keys().map(|f| (*f, Held::default())).collect();
    for block in model.slots.iter().flatten().chain(&model.lost) {
        *expected.entry(block.from).or_default() += Held { blocks: 1, bytes: block.size };
    }
    prop_assert_eq!(left, expected);
    Ok(())
}

proptest! {
    #![proptest_config(cases(160))]

    #[test]
    fn random_programs_are_counted_like_the_model_counts_them(
        program in vec(operation(), 1..400)
    ) {
        let wasm = guest("random_ops.wasm");
        let model = Model::of(&program);
        check(&run(&wasm, &program, Mode::default()).report, &model)?;
        let checked = run(&wasm, &program, Mode::check(None)).report;
        check(&checked, &model)?;
        // The program is right.
        let said = checked.findings.iter().find(|f| f.numbers.contains_key("address") || f.code == Code::AccessesUnchecked);
        prop_assert_eq!(said, None);
    }

}

proptest! {
    #![proptest_config(cases(32))]

    /// Memory that an engine was asked for, by a guest that nobody has touched.
    #[test]
    fn random_programs_grow_like_in_plain_wasmtime(program in vec(operation(), 300..400)) {
        let wasm = guest("random_ops.wasm");
        let text = text(&program);
        let plain = plain::run(Program { stdin: text.as_bytes(), ..Program::new(&wasm) });
        let observed = run(&wasm, &program, Mode::default());
        let growth = &observed.memory().growth;
        prop_assert_eq!(plain.memory, plain::Growths {
            pages: observed.report.totals.at_end.pages,
            granted: growth.growths,
            refused: growth.refused,
        });
        prop_assert_eq!(plain.exit, Exit::Code(0));
    }
}

/// A program that does all that the random ones may do, so that a change of the generator cannot
/// quietly leave something out.
#[test]
fn every_operation_and_every_way_to_fail() {
    let huge = 0xffff_fff0;
    let program = [
        Malloc { slot: 0, size: 100 },
        Malloc { slot: 1, size: 0 },
        Calloc { slot: 2, count: 10, size: 20 },
        Calloc { slot: 3, count: 0, size: 8 },
        Calloc { slot: 4, count: 0x1_0001, size: 0x1_0000 },
        Realloc { slot: 0, size: 300 },
        Realloc { slot: 0, size: huge },
        Realloc { slot: 5, size: 40 },
        Realloc { slot: 5, size: 0 },
        Realloc { slot: 6, size: 0 },
        Realloc { slot: 7, size: huge },
        AlignedAlloc { slot: 8, align: 64, size: 0 },
        AlignedAlloc { slot: 9, align: 4_096, size: 50 },
        AlignedAlloc { slot: 9, align: 64, size: huge },
        PosixMemalign { slot: 10, align: 64, size: 60 },
        PosixMemalign { slot: 10, align: 2, size: 60 },
        PosixMemalign { slot: 10, align: 12, size: 70 },
        PosixMemalign { slot: 10, align: 0, size: 0 },
        PosixMemalign { slot: 10, align: 8, size: huge },
        Free { slot: 0 },
        Free { slot: 0 },
        Free { slot: 1 },
    ];
    let model = Model::of(&program);
    assert_eq!((model.allocations, model.reallocations, model.frees), (9, 2, 2));
    assert_eq!((model.failed, model.lost.len()), (7, 2));
    assert_eq!(model.allocated_bytes, 100 + 200 + 300 + 40 + 50 + 60);
    for mode in [Mode::default(), Mode::check(None)] {
        let observed = run(&guest("random_ops.wasm"), &program, mode);
        check(&observed.report, &model).unwrap();
    }
}

#[test]
fn a_program_that_the_guest_does_not_understand_fails() {
    let wasm = guest("random_ops.wasm");
    let observed = observe(Program { stdin: b"m 0 8\nx\n", ..Program::new(&wasm) }.to_run());
    assert_eq!(observed.outcome.exit, Exit::Code(1));
}
