//! Random graphs of blocks: the mark against the definitions that it is documented with.

use std::collections::BTreeSet;

use linmem::report::{Code, Report};
use linmem::trace::{
    ContextId, Crossing, Event, Frame, LiveFrames, Record, Sharing, Trace, Writer,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::cases;
use crate::support::{assemble, only_memory};

/// A pointer: to a block, and so many words into it.
type Pointer = (usize, u64);

/// Blocks, each with the pointers that it holds, and the pointers that hold blocks from outside.
#[derive(Debug, Clone)]
struct Graph {
    blocks: Vec<Vec<Pointer>>,
    roots: Vec<Pointer>,
    /// Blocks that an export has returned.
    returned: Vec<usize>,
}

type Blocks = BTreeSet<usize>;

const WORDS: u64 = 8;
const WORD_BYTES: u64 = 4;
const BLOCK_BYTES: u64 = WORDS * WORD_BYTES;
const HEAP: u64 = 4_096;
const ROOTS: u64 = 64;

fn address(block: usize) -> u64 {
    HEAP + 2 * BLOCK_BYTES * block as u64
}

fn graph() -> impl Strategy<Value = Graph> {
    (1..=14usize).prop_flat_map(|blocks| {
        let words_in = prop_oneof![4 => Just(0), 1 => 1..WORDS];
        let pointer = (0..blocks, words_in);
        (vec(vec(pointer.clone(), 0..=3), blocks), vec(pointer, 0..=3), vec(0..blocks, 0..=2))
            .prop_map(|(blocks, roots, returned)| Graph { blocks, roots, returned })
    })
}

impl Graph {
    /// What `starts` and everything that pointers lead to from there are.
    fn closure(&self, starts: Blocks, interior: bool) -> Blocks {
        self.closure_outside(&Blocks::new(), starts, interior)
    }

    /// The same, without going through blocks that are something else already.
    fn closure_outside(&self, known: &Blocks, starts: Blocks, interior: bool) -> Blocks {
        let mut reached = &starts - known;
        loop {
            let next: Blocks =
                reached.iter().flat_map(|&b| targets(&self.blocks[b], interior)).collect();
            let next = &next - known;
            if next.is_subset(&reached) {
                return reached;
            }
            reached.extend(next);
        }
    }

    /// Reachable, possible, host-held and lost blocks, by the definitions of these words.
    fn kinds(&self) -> [Blocks; 4] {
        let reachable = self.closure(targets(&self.roots, false), false);
        let start: Blocks = &reachable | &targets(&self.roots, true);
        let kept = self.closure(start, true);
        let returned: Blocks = self.returned.iter().copied().collect();
        let held = self.closure_outside(&reachable, returned, true);
        let possible = &(&kept - &reachable) - &held;
        let all: Blocks = (0..self.blocks.len()).collect();
        let lost = &(&all - &kept) - &held;
        [reachable, possible, held, lost]
    }

    /// A recording of a program that ends with this graph in its memory.
    fn trace(&self) -> Trace {
        let functions: String =
            (0..self.blocks.len()).map(|b| format!("(func $block_{b})")).collect();
        let mut records = vec![
            Record::Module {
                name: "graph.wasm".to_owned(),
                bytes: assemble(&format!("(module (memory 1) {functions})")),
                allocator: r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#.to_owned(),
            },
            Record::Memory {
                initial_pages: 1,
                max_pages: None,
                page_bytes: 65_536,
                sharing: Sharing::Private,
            },
            Record::Instance { module: 0, memory: 0 },
        ];
        for block in 0..self.blocks.len() {
            let frame = Frame::Wasm { function: block as u32, offset: None };
            records.push(Record::Context { frames: vec![frame] });
            let context = ContextId(block as u32);
            let (pointer, size) = (address(block), BLOCK_BYTES);
            records.push(Record::Event(Event::Allocated { pointer, size, align: 0, context }));
        }
        for &block in &self.returned {
            // Each by an export of its own, so that there is a finding for each.
            let crossing = Crossing::Returned(block as u32);
            let pointer = address(block);
            records.push(Record::Event(Event::Crossed { pointer, crossing }));
        }
        records.push(Record::Snapshot { memory: 0, pages: 1 });
        records.push(Record::SnapshotBytes { address: 0, bytes: self.memory() });
        records.push(Record::Globals { live_frames: LiveFrames::None, values: Vec::new() });
        records.push(Record::Exit { code: 0 });
        let mut writer = Writer::new(Vec::new());
        records.iter().for_each(|record| writer.record(record));
        Trace::from_bytes(writer.finish().unwrap())
    }

    fn memory(&self) -> Vec<u8> {
        let mut memory = vec![0; 65_536];
        let mut write = |at: u64, pointers: &[Pointer]| {
            for ((block, words), slot) in pointers.iter().zip(0..) {
                let pointer = (address(*block) + words * WORD_BYTES) as u32;
                let at = (at + slot * WORD_BYTES) as usize;
                memory[at..at + 4].copy_from_slice(&pointer.to_le_bytes());
            }
        };
        write(ROOTS, &self.roots);
        for (block, pointers) in self.blocks.iter().enumerate() {
            write(address(block), pointers);
        }
        memory
    }
}

fn targets(pointers: &[Pointer], interior: bool) -> Blocks {
    pointers.iter().filter(|(_, words)| interior || *words == 0).map(|(block, _)| *block).collect()
}

/// The blocks that findings of a code are about: each has a stack of its own.
fn found(report: &Report, code: Code) -> Blocks {
    let findings = report.findings.iter().filter(|finding| finding.code == code);
    let block = |name: &str| name.strip_prefix("block_")?.parse().ok();
    findings.map(|f| block(&f.stacks[0].stack[0].function).expect("a name from above")).collect()
}

fn sum(report: &Report, number: &str) -> u64 {
    report.findings.iter().filter_map(|finding| finding.numbers.get(number)).sum()
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn blocks_are_judged_by_who_points_to_them(graph in graph()) {
        let report = linmem::analyze(&graph.trace()).unwrap();
        let [reachable, possible, host_held, lost] = graph.kinds();
        let leaks = &only_memory(&report).leaks;
        prop_assert_eq!(leaks.reachable.blocks, reachable.len() as u64);
        prop_assert_eq!(leaks.reachable.bytes, BLOCK_BYTES * reachable.len() as u64);
        prop_assert_eq!(found(&report, Code::LeakPossible), possible);
        let returned: Blocks = graph.returned.iter().copied().collect();
        prop_assert_eq!(found(&report, Code::LeakHostHeld), &host_held & &returned);
        prop_assert_eq!(leaks.host_held.blocks, host_held.len() as u64);

        let definite = found(&report, Code::LeakDefinite);
        let indirect = found(&report, Code::LeakIndirect);
        prop_assert!(definite.is_disjoint(&indirect));
        prop_assert_eq!(&(&definite | &indirect), &lost);
        // All that is lost hangs below what is definitely lost, of which nothing hangs below
        // another: of each cycle one block has to be chosen.
        prop_assert!(lost.is_subset(&graph.closure(definite.clone(), true)));
        for block in &definite {
            let below = graph.closure([*block].into(), true);
            prop_assert_eq!(&below & &definite, [*block].into());
        }
        // What they lead to is counted once, and so is what returned blocks lead to.
        let led_to = indirect.len() + (&host_held - &returned).len();
        prop_assert_eq!(sum(&report, "indirect_blocks"), led_to as u64);
        prop_assert_eq!(sum(&report, "indirect_bytes"), BLOCK_BYTES * led_to as u64);
    }
}

/// The generator makes what the property is about.
#[test]
fn all_kinds_occur_at_once() {
    // A chain, an interior pointer, a returned block, a lost cycle with a tail.
    let graph = Graph {
        blocks: vec![
            vec![(1, 0)],
            vec![(2, 3)],
            vec![],
            vec![],
            vec![(5, 0)],
            vec![(4, 0), (6, 2)],
            vec![],
        ],
        roots: vec![(0, 0)],
        returned: vec![3],
    };
    let kinds = graph.kinds().map(|blocks| blocks.into_iter().collect::<Vec<_>>());
    assert_eq!(kinds, [vec![0, 1], vec![2], vec![3], vec![4, 5, 6]]);
    let report = linmem::analyze(&graph.trace()).unwrap();
    assert_eq!(found(&report, Code::LeakDefinite).len(), 1);
    assert_eq!(found(&report, Code::LeakIndirect).len(), 2);
}
