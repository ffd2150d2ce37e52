//! Several instances as a table.

use super::columns;
use crate::report::InstanceReport;
use crate::units::{bytes, count, escape};

/// Rows that are shown from the start, and from the end.
const SHOWN: usize = 15;

const HEADER: [&str; 8] =
    ["instance", "pages", "allocations", "allocated", "at peak", "left", "in blocks", "module"];

/// One row for each instance.
pub(super) fn table(instances: &[InstanceReport]) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    let hidden = instances.len().saturating_sub(2 * SHOWN);
    let first = if hidden > 0 { SHOWN } else { instances.len() };
    let numbered = || instances.iter().enumerate();
    rows.extend(numbered().take(first).map(cells));
    if hidden > 0 {
        let more = format!("… {} more", count(hidden as u64));
        rows.push(std::array::from_fn(|column| if column == 0 { &*more } else { "" }.to_owned()));
        rows.extend(numbered().skip(first + hidden).map(cells));
    }
    columns::aligned(&rows)
}

fn cells((number, instance): (usize, &InstanceReport)) -> [String; 8] {
    let totals = &instance.totals;
    let pages = match (instance.initial_pages, totals.at_end.pages) {
        (start, end) if start == end => count(end),
        (start, end) => format!("{} → {}", count(start), count(end)),
    };
    [
        number.to_string(),
        pages,
        count(totals.allocations + totals.reallocations),
        bytes(totals.allocated_bytes),
        bytes(totals.at_peak.bytes),
        bytes(totals.at_end.bytes),
        count(totals.at_end.blocks),
        escape(&instance.module),
    ]
}
