//! Several memories as a table.

use super::columns;
use crate::report::{MemoryReport, Report};
use crate::units::{bytes, count, escape, ranges};

/// Rows that are shown from the start, and from the end.
const SHOWN: usize = 15;

const HEADER: [&str; 8] =
    ["instance", "pages", "allocations", "allocated", "at peak", "left", "in blocks", "module"];

/// One row for each memory.
pub(super) fn table(report: &Report) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    let memories = &report.memories;
    let hidden = memories.len().saturating_sub(2 * SHOWN);
    let first = if hidden > 0 { SHOWN } else { memories.len() };
    let row = |memory| cells(report, memory);
    rows.extend(memories.iter().take(first).map(row));
    if hidden > 0 {
        let more = format!("… {} more", count(hidden as u64));
        rows.push(std::array::from_fn(|column| if column == 0 { &*more } else { "" }.to_owned()));
        rows.extend(memories.iter().skip(first + hidden).map(row));
    }
    columns::aligned(&rows)
}

fn cells(report: &Report, memory: &MemoryReport) -> [String; 8] {
    let totals = &memory.totals;
    let pages = match (memory.initial_pages, totals.at_end.pages) {
        (start, end) if start == end => count(end),
        (start, end) => format!("{} → {}", count(start), count(end)),
    };
    [
        ranges(&memory.users),
        pages,
        count(totals.allocations.saturating_add(totals.reallocations)),
        bytes(totals.allocated_bytes),
        bytes(totals.at_peak.bytes),
        bytes(totals.at_end.bytes),
        count(totals.at_end.blocks),
        escape(&report.modules_of(memory).join(", ")),
    ]
}
