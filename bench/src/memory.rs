//! How much memory linmem itself needs, however long the run.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::Setup;
use crate::pairs;
use crate::process;
use crate::table::Table;

/// Millions of events in a run.
const MILLIONS: &[u64] = &[1, 10, 30];

/// The longest run may take this many times the memory of the shortest.
const BAR: f64 = 1.2;

/// Measures runs of different lengths, with and without a trace file.
pub fn measure(setup: &Setup) -> Result<Table> {
    eprintln!("memory ...");
    let runs = MILLIONS.iter().map(|m| Runs::measure(setup, *m)).collect::<Result<Vec<_>>>()?;
    let growth = |of: fn(&Runs) -> u64| match (runs.first(), runs.last()) {
        (Some(first), Some(last)) => of(last) as f64 / of(first) as f64,
        _ => 1.0,
    };
    let worst = growth(|runs| runs.without_trace).max(growth(|runs| runs.with_trace));
    Ok(Table {
        title: "Memory",
        note: format!(
            "Peak resident memory of `linmem run --quiet` as a whole process, engine and all, on \
             the loop of the section before, in MiB; and the size of the trace. The longest run \
             takes {worst:.2} times the memory of the shortest; the bar is {BAR}.",
        ),
        columns: vec!["events", "MiB", "MiB with --trace", "trace MB", "trace bytes/event"],
        rows: runs.iter().map(Runs::row).collect(),
        met: worst <= BAR,
    })
}

/// Runs of the same length.
struct Runs {
    millions: u64,
    without_trace: u64,
    with_trace: u64,
    trace_bytes: u64,
}

impl Runs {
    fn measure(setup: &Setup, millions: u64) -> Result<Runs> {
        let (file, _) = pairs::guest(setup, millions * 1_000_000 / 2)?;
        let directory = tempfile::tempdir()?;
        let trace = directory.path().join("run.trace");
        let linmem = || {
            let mut command = Command::new(&setup.linmem);
            command.args(["run", "--quiet"]);
            command
        };
        let without_trace = process::run(linmem().arg(file.path()))?.peak_rss_bytes;
        let with_trace = process::run(linmem().arg("--trace").arg(&trace).arg(file.path()))?;
        Ok(Runs {
            millions,
            without_trace,
            with_trace: with_trace.peak_rss_bytes,
            trace_bytes: fs::metadata(&trace)?.len(),
        })
    }

    fn row(&self) -> Vec<String> {
        let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
        let bytes_per_event = self.trace_bytes as f64 / (self.millions * 1_000_000) as f64;
        vec![
            format!("{} M", self.millions),
            mib(self.without_trace),
            mib(self.with_trace),
            format!("{:.1}", self.trace_bytes as f64 / 1e6),
            format!("{bytes_per_event:.1}"),
        ]
    }
}
