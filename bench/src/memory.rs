//! How much memory linmem itself needs, however long the run.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use linmem::trace::{Event, Reader, Record};

use crate::Setup;
use crate::child::{Guest, Role};
use crate::pairs;
use crate::process;
use crate::table::Table;

/// Millions of events of the loop.
const MILLIONS: &[u64] = &[1, 10, 30];

/// Descents of the recursion, each with 81,910 call stacks of its own.
const DESCENTS: &[u64] = &[10, 100];

/// The longest run of a program may take this many times the memory of the shortest.
const BAR: f64 = 1.2;

/// Measures runs of different lengths, with and without a trace file.
pub fn measure(setup: &Setup) -> Result<Table> {
    eprintln!("memory ...");
    let mut looped = Vec::new();
    for millions in MILLIONS {
        let (_file, guest) = pairs::guest(setup, millions * 1_000_000 / 2)?;
        looped.push(Peaks::measure(setup, format!("loop, {millions} M"), &guest)?);
    }
    let mut recursive = Vec::new();
    for descents in DESCENTS {
        let guest = Guest {
            file: setup.guest("recursion.wasm")?,
            root: setup.guest_root(),
            args: vec![descents.to_string()],
        };
        recursive.push(Peaks::measure(setup, format!("recursion, {descents} descents"), &guest)?);
    }
    let growth = growth(&looped).max(growth(&recursive));
    Ok(Table {
        title: "Memory",
        note: format!(
            "Peak resident memory of whole processes, engine and all, in MiB: the guest alone, \
             `linmem run --quiet --no-cache`, and the same with `--trace`. The loop is that of the pairs. \
             The longest run of a program takes at most {growth:.2} times the memory of its \
             shortest; the bar is {BAR}."
        ),
        columns: vec![
            "run",
            "events",
            "plain MiB",
            "linmem MiB",
            "with --trace MiB",
            "trace MB",
            "trace bytes/event",
        ],
        rows: looped.iter().chain(&recursive).map(Peaks::row).collect(),
        met: growth <= BAR,
    })
}

/// The memory of the longest run as a multiple of the memory of the shortest.
fn growth(runs: &[Peaks]) -> f64 {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return 1.0 };
    let ratio = |of: fn(&Peaks) -> u64| of(last) as f64 / of(first) as f64;
    ratio(|run| run.linmem).max(ratio(|run| run.linmem_with_trace))
}

/// The peaks of one run, in bytes.
struct Peaks {
    title: String,
    events: u64,
    plain: u64,
    linmem: u64,
    linmem_with_trace: u64,
    trace_bytes: u64,
}

impl Peaks {
    fn measure(setup: &Setup, title: String, guest: &Guest) -> Result<Peaks> {
        let directory = tempfile::tempdir()?;
        let trace = directory.path().join("run.trace");
        let (plain, _) = guest.measure(&setup.bench, Role::Plain)?;
        let linmem = process::run(&mut guest.linmem_command(&setup.linmem, &[]))?;
        let options = ["--trace".as_ref(), trace.as_os_str()];
        let with_trace = process::run(&mut guest.linmem_command(&setup.linmem, &options))?;
        Ok(Peaks {
            title,
            events: count_events(&trace).context("the trace")?,
            plain: plain.peak_rss_bytes,
            linmem: linmem.peak_rss_bytes,
            linmem_with_trace: with_trace.peak_rss_bytes,
            trace_bytes: fs::metadata(&trace)?.len(),
        })
    }

    fn row(&self) -> Vec<String> {
        let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
        vec![
            self.title.clone(),
            self.events.to_string(),
            mib(self.plain),
            mib(self.linmem),
            mib(self.linmem_with_trace),
            format!("{:.1}", self.trace_bytes as f64 / 1e6),
            format!("{:.1}", self.trace_bytes as f64 / self.events as f64),
        ]
    }
}

fn count_events(trace: &Path) -> Result<u64> {
    let mut events = 0;
    for record in Reader::new(File::open(trace)?) {
        match record? {
            // Calls and crossings are not events of the heap.
            Record::Event(Event::Called { .. } | Event::Crossed { .. }) => {}
            Record::Event(_) => events += 1,
            _ => {}
        }
    }
    Ok(events)
}
