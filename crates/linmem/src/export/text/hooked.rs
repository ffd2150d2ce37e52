//! What was hooked, and what was not.

use std::fmt::{self, Display, Formatter, Write};

use crate::report::{Coverage, HookedFunction, NO_WORDS, Remedy, Sentence, UnseenReport, Words};
use crate::units::{count, escape};

/// In the library's own words.
impl Display for Coverage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&hooked(self, NO_WORDS))
    }
}

/// A line for each function that was hooked or could be, and for each way past them.
pub(crate) fn hooked(coverage: &Coverage, words: Words) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, coverage, words);
    out
}

fn write(out: &mut String, coverage: &Coverage, words: Words) -> fmt::Result {
    for HookedFunction { function, name, role, evidence } in &coverage.hooked {
        let text = escape(&format!("function {function} ({name}), {evidence}"));
        writeln!(out, "  {:<15} {text}", role.name())?;
    }
    if coverage.hooked.is_empty() {
        writeln!(out, "  {}", Sentence::NothingHooked.text())?;
    }
    if !coverage.candidates.is_empty() {
        let list: Vec<String> =
            coverage.candidates.iter().map(|(index, name)| format!("{index} ({name})")).collect();
        let list = escape(&list.join(", "));
        let way = words(Remedy::NameMalloc).map(|way| format!("; try {way}")).unwrap_or_default();
        writeln!(out, "  {}{way}", Sentence::CouldBeMalloc.with([&list]))?;
    }
    for UnseenReport { grower, entries } in &coverage.unseen {
        let (grower, entries) = (escape(grower), escape(&some(entries)));
        writeln!(out, "  {}", Sentence::GrowsPast.with([&grower, &entries]))?;
    }
    if !coverage.strangers.is_empty() {
        let strangers = escape(&some(&coverage.strangers));
        writeln!(out, "  {}", Sentence::AlsoWritten.with([&strangers]))?;
    }
    coverage.notes.iter().try_for_each(|note| writeln!(out, "  {}", escape(note)))
}

/// The first few names.
fn some(names: &[String]) -> String {
    match names.len() {
        0..=4 => names.join(", "),
        more => format!("{} and {} more", names[..4].join(", "), count(more as u64 - 4)),
    }
}
