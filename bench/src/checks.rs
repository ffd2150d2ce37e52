//! How much longer programs take with each of their accesses checked.

use anyhow::{Context, Result};

use crate::Setup;
use crate::child::{Guest, Role};
use crate::table::Table;
use crate::timing::Times;

/// Programs, with arguments that let them run for a part of a second.
const RUNS: &[(&str, &str, &[&str])] = &[
    ("SQLite, 60,000 rows", "sqlite.wasm", &["60000"]),
    ("QuickJS, 100,000 objects", "qjs.wasm", &["/objects.js", "100"]),
    ("update", "kernels.wasm", &["update", "4000"]),
    ("sum", "kernels.wasm", &["sum", "4000"]),
    ("hash", "kernels.wasm", &["hash", "4000"]),
    ("chase", "kernels.wasm", &["chase", "4000"]),
    ("product", "kernels.wasm", &["product", "300"]),
    ("sort", "kernels.wasm", &["sort", "150"]),
];

/// At most this, on the average, and for any.
const BARS: [f64; 2] = [1.8, 3.5];

/// Measures the programs one after the other, their three sides interleaved.
pub fn measure(setup: &Setup) -> Result<Table> {
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    for (title, file, args) in RUNS {
        eprintln!("checks: {title} ...");
        let args = args.iter().map(ToString::to_string).collect();
        let guest = Guest { file: setup.guest(file)?, root: setup.guest_root(), args };
        let [plain, observed, checked] = sides(setup, &guest).context(*title)?;
        let ratio = checked.ratio_of_min(&plain);
        ratios.push(ratio);
        rows.push(vec![
            (*title).to_owned(),
            format!("{:.2}", plain.min().as_secs_f64()),
            format!("{:.2}x", observed.ratio_of_min(&plain)),
            format!("{ratio:.2}x"),
            format!("{:.2}x", checked.median_ratio(&plain)),
        ]);
    }
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let most = ratios.iter().copied().fold(0.0, f64::max);
    rows.push(vec![
        "geometric mean".to_owned(),
        String::new(),
        String::new(),
        format!("{mean:.2}x"),
        String::new(),
    ]);
    Ok(Table {
        title: "Checks",
        note: format!(
            "{} rounds, interleaved: the CPU time from the call of `_start` to its return, with the accesses recorded \
             (*run*) and checked (*check*), against the original module in the same engine. Ratios of the shortest \
             times, and for checks also the median of the rounds' ratios. The bars: {}x for the mean, {}x for each.",
            setup.rounds, BARS[0], BARS[1]
        ),
        columns: vec!["program", "plain s", "run", "check", "check, median"],
        rows,
        met: mean <= BARS[0] && most <= BARS[1],
    })
}

fn sides(setup: &Setup, guest: &Guest) -> Result<[Times; 3]> {
    let mut sides = [Times::default(), Times::default(), Times::default()];
    for _ in 0..setup.rounds {
        for (role, times) in
            [Role::Plain, Role::Observed, Role::Checked].into_iter().zip(&mut sides)
        {
            times.add(guest.measure(&setup.bench, role)?.1.guest_time);
        }
    }
    Ok(sides)
}
