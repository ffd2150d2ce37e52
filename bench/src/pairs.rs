//! What one pair of events costs: a loop of `malloc` and `free` whose allocator does next to
//! nothing, under observation and alone.

use std::time::Duration;

use anyhow::Result;
use tempfile::NamedTempFile;

use crate::Setup;
use crate::child::{Guest, Role};
use crate::table::Table;
use crate::timing::Times;

const PAIRS: u64 = 10_000_000;

/// A module that allocates and frees so many blocks.
pub fn module(pairs: u64) -> Result<Vec<u8>> {
    Ok(wat::parse_str(include_str!("pairs.wat").replace("PAIRS", &pairs.to_string()))?)
}

/// The module in a file.
pub fn guest(setup: &Setup, pairs: u64) -> Result<(NamedTempFile, Guest)> {
    let file = tempfile::Builder::new().suffix(".wasm").tempfile()?;
    std::fs::write(file.path(), module(pairs)?)?;
    let guest = Guest { file: file.path().to_owned(), root: setup.guest_root(), args: vec![] };
    Ok((file, guest))
}

/// Measures both sides, interleaved.
pub fn measure(setup: &Setup) -> Result<Table> {
    eprintln!("pairs ...");
    let (_file, guest) = guest(setup, PAIRS)?;
    let (mut plain, mut observed) = (Times::default(), Times::default());
    for _ in 0..setup.rounds {
        plain.add(guest.measure(&setup.bench, Role::Plain)?.1.guest_time);
        observed.add(guest.measure(&setup.bench, Role::Observed)?.1.guest_time);
    }
    let cell = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e9 / PAIRS as f64);
    let row = |name: &str, of: fn(&Times) -> Duration| {
        let (plain, observed) = (of(&plain), of(&observed));
        vec![name.to_owned(), cell(plain), cell(observed), cell(observed.saturating_sub(plain))]
    };
    Ok(Table {
        title: "A pair of events",
        note: format!(
            "Guest time of one `malloc` and one `free` in nanoseconds, in a loop of {} million, \
             with an allocator that is only a list of free blocks.",
            PAIRS / 1_000_000
        ),
        columns: vec!["", "plain ns", "observed ns", "cost of a pair ns"],
        rows: vec![row("shortest", Times::min), row("median", Times::median)],
        met: true,
    })
}
