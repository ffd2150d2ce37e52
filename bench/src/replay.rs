//! What the analysis of a kept trace costs for each event.

use std::ffi::OsStr;
use std::fs;

use anyhow::{Context, Result};
use linmem::{Analysis, AnalysisOptions};

use crate::Setup;
use crate::process;
use crate::programs::PROGRAMS;
use crate::table::Table;
use crate::timing::{Times, cpu_timed};

/// Nanoseconds of CPU time that an event should take at most: the analysis then keeps up with the programs,
/// on a core of its own or as WebAssembly.
const BAR: f64 = 150.0;

/// Bytes that the analysis gets at a time, as `linmem run` gives them.
const CHUNK_BYTES: usize = 64 * 1024;

/// Records each program that is measured once, and replays its trace in every round.
pub fn measure(setup: &Setup) -> Result<Table> {
    let directory = tempfile::tempdir()?;
    let mut rows = Vec::new();
    let mut met = true;
    for program in PROGRAMS {
        eprintln!("replay of {} ...", program.name);
        let path = directory.path().join(program.name);
        let options = [OsStr::new("--trace"), path.as_os_str()];
        let guest = program.guest(setup)?;
        process::run(&mut guest.linmem_command(&setup.linmem, &options))?;
        let trace = fs::read(&path).with_context(|| format!("no trace of {}", program.name))?;
        let mut times = Times::default();
        let mut events = 0;
        for _ in 0..setup.rounds {
            let (analysis, time) = cpu_timed(|| replay(&trace));
            events = analysis?.events();
            times.add(time);
        }
        fs::remove_file(&path)?;
        let nanos = |time: std::time::Duration| time.as_secs_f64() * 1e9 / events as f64;
        met &= nanos(times.min()) <= BAR;
        rows.push(vec![
            program.title.to_owned(),
            format!("{:.1} M", events as f64 / 1e6),
            format!("{:.1}", trace.len() as f64 / events as f64),
            format!("{:.0}", nanos(times.min())),
            format!("{:.0}", nanos(times.median())),
            if nanos(times.min()) <= BAR { "yes" } else { "no" }.to_owned(),
        ]);
    }
    Ok(Table {
        title: "Replay",
        note: format!(
            "CPU time of `Analysis::push` on a kept trace, in chunks of 64 KiB, for each event; {} \
             rounds. The bar is {BAR} ns.",
            setup.rounds
        ),
        columns: vec!["trace", "events", "bytes an event", "shortest ns", "median ns", "met"],
        rows,
        met,
    })
}

fn replay(trace: &[u8]) -> linmem::Result<Analysis> {
    let mut analysis = Analysis::new(AnalysisOptions::default());
    for chunk in trace.chunks(CHUNK_BYTES) {
        analysis.push(chunk)?;
    }
    Ok(analysis)
}
