//! Exported functions that kept memory, as a table.

use super::columns;
use crate::report::{ExportReport, Kept};
use crate::units::{bytes, count, escape, number_of, pages};

/// Rows that are shown.
const SHOWN: usize = 6;

const HEADER: [&str; 6] = ["  export", "calls", "grew by", "left", "keeps", "called from"];

/// One row for each function.
pub(super) fn table(exports: &[ExportReport]) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(exports.iter().take(SHOWN).map(cells));
    if exports.len() > SHOWN {
        let more = format!("  … {} more", count((exports.len() - SHOWN) as u64));
        rows.push(std::array::from_fn(|column| if column == 0 { &*more } else { "" }.to_owned()));
    }
    columns::aligned(&rows)
}

fn cells(export: &ExportReport) -> [String; 6] {
    let left = match export.left.blocks {
        0 => "-".to_owned(),
        blocks => format!("{} in {}", bytes(export.left.bytes), number_of(blocks, "block")),
    };
    let grew = match export.pages {
        0 => "-".to_owned(),
        added => pages(added),
    };
    let kept = match export.kept {
        Kept::MoreAndMore => "more and more",
        Kept::NoMore => "no more",
        Kept::Unknown => "-",
    };
    [
        format!("  {}", escape(&export.name)),
        count(export.calls),
        grew,
        left,
        kept.to_owned(),
        called_from(export),
    ]
}

/// The lines that called, and how many calls were looked at if not all.
fn called_from(export: &ExportReport) -> String {
    let [first, others @ ..] = &export.from[..] else { return String::new() };
    let line = escape(&first.line);
    let more = match others.len() {
        0 => String::new(),
        lines => format!(" and {}", number_of(lines as u64, "more line")),
    };
    let looked_at = export.from.iter().fold(0, |sum: u64, from| sum.saturating_add(from.calls));
    let of_all = match looked_at < export.calls {
        true => format!(" ({} looked at)", number_of(looked_at, "call")),
        false => String::new(),
    };
    format!("{line}{more}{of_all}")
}
