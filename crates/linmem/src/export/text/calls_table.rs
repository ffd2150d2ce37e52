//! Repeated calls as a verdict and a table.

use super::columns;
use crate::report::{AfterCall, Repeats, Sentence, Verdict};
use crate::units::{bytes, count, escape, pages};

/// Rows that are shown from the start, and from the end.
const SHOWN: usize = 8;

/// The verdict as part of a sentence.
pub(super) fn verdict(repeats: &Repeats) -> String {
    let calls = match repeats.calls {
        1 => "1 call".to_owned(),
        calls => format!("{} calls", count(calls)),
    };
    let of = format!("{calls} of {}", escape(&repeats.export));
    let left = repeats.rows.last().map_or(&repeats.before, |row| &row.after);
    let blocks = match repeats.sees_blocks {
        true => format!("{} live", bytes(left.live_bytes)),
        false => Sentence::BlocksNotSeen.with([]),
    };
    let left = format!("{} and {blocks}", pages(left.pages.memory_size));
    match repeats.verdict {
        Verdict::TooFew if repeats.calls == 1 => Sentence::LeftOnce.with([&of, &left]),
        Verdict::TooFew => Sentence::TooFewToTell.with([&of, &left]),
        Verdict::Steady { after_call: 0 } => Sentence::SteadyFromStart.with([&of, &left]),
        Verdict::Steady { after_call } => {
            Sentence::SteadyAfter.with([&count(after_call), &of, &left])
        }
        Verdict::Growing { .. } => Sentence::Growing.with([&of, &left]),
        Verdict::Failing { at_call } => Sentence::CallFailed.with([&count(at_call), &of, &left]),
    }
}

const HEADER: [&str; 9] = [
    "call",
    "host view",
    "grow(0)",
    "memory.size",
    "live bytes",
    "allocated",
    "freed",
    "texts at",
    "result",
];

/// The columns that are about blocks.
const OF_BLOCKS: std::ops::Range<usize> = 4..7;

/// One row for all calls that left everything the same.
pub(super) fn table(repeats: &Repeats) -> String {
    let cells = |call: String, after: &AfterCall| {
        let mut cells = cells(call, after);
        if !repeats.sees_blocks {
            OF_BLOCKS.for_each(|column| cells[column] = "-".to_owned());
        }
        cells
    };
    let mut rows = vec![HEADER.map(str::to_owned), cells("before".to_owned(), &repeats.before)];
    let all = &repeats.rows;
    let hidden = all.len().saturating_sub(2 * SHOWN);
    let first = if hidden > 0 { SHOWN } else { all.len() };
    let number = |row: &crate::report::RepeatsRow| match (row.first_call, row.last_call) {
        (first, last) if first == last => count(first),
        (first, last) => format!("{}–{}", count(first), count(last)),
    };
    rows.extend(all[..first].iter().map(|row| cells(number(row), &row.after)));
    if hidden > 0 {
        rows.push(std::array::from_fn(|column| if column == 0 { "…" } else { "" }.to_owned()));
        rows.extend(all[first + hidden..].iter().map(|row| cells(number(row), &row.after)));
    }
    columns::aligned(&rows)
}

fn cells(call: String, after: &AfterCall) -> [String; 9] {
    let blocks = |blocks: u64| match blocks {
        1 => "1 block".to_owned(),
        blocks => format!("{} blocks", count(blocks)),
    };
    let allocated = match after.allocated.blocks {
        0 => "-".to_owned(),
        number => format!("{} in {}", bytes(after.allocated.bytes), blocks(number)),
    };
    let freed = if after.freed_blocks == 0 { "-".to_owned() } else { blocks(after.freed_blocks) };
    let texts: Vec<String> = after.texts_at.iter().map(|at| format!("{at:#x}")).collect();
    [
        call,
        count(after.pages.host_view),
        count(after.pages.grow_zero),
        count(after.pages.memory_size),
        count(after.live_bytes),
        allocated,
        freed,
        texts.join(" "),
        escape(&after.result),
    ]
}
