//! How much longer programs take under observation.

use std::process::Command;

use anyhow::{Context, Result};

use crate::Setup;
use crate::child::{Guest, Measured, Role};
use crate::process;
use crate::programs::Program;
use crate::table::Table;
use crate::timing::Times;

/// Measures the programs one after the other, their two sides interleaved.
pub fn measure(setup: &Setup, programs: &[&Program]) -> Result<Table> {
    let mut met = true;
    let mut rows = Vec::new();
    for program in programs {
        eprintln!("{} ...", program.name);
        let sides = Sides::measure(setup, program).with_context(|| program.name)?;
        met &= sides.meet(program.bar);
        rows.push(sides.row(program));
    }
    Ok(Table {
        title: "Overhead",
        note: format!(
            "{} rounds, interleaved. *Guest* is the time from the call of `_start` to its return; \
             *process* is `linmem run --quiet` against the same engine alone, with compilation, \
             analysis and all. Each as the ratio of the shortest times, and as the median of the \
             rounds' ratios. A bar is met when both guest ratios are within it.",
            setup.rounds
        ),
        columns: vec![
            "program", "events", "M events/s", "contexts", "bytes/event", "plain s", "guest min",
            "guest median", "process min", "process median", "bar", "met",
        ],
        rows,
        met,
    })
}

#[derive(Default)]
struct Sides {
    plain_guest: Times,
    plain_process: Times,
    observed_guest: Times,
    linmem_process: Times,
    recorded: Measured,
}

impl Sides {
    fn measure(setup: &Setup, program: &Program) -> Result<Sides> {
        let guest = Guest {
            file: setup.guest(program.file)?,
            root: setup.root.join("bench/guests"),
            args: program.args.iter().map(ToString::to_string).collect(),
        };
        let mut sides = Sides::default();
        for _ in 0..setup.rounds {
            let (process, measured) = guest.measure(&setup.bench, Role::Plain)?;
            sides.plain_guest.add(measured.guest_time);
            sides.plain_process.add(process.time);
            let (_, measured) = guest.measure(&setup.bench, Role::Observed)?;
            sides.observed_guest.add(measured.guest_time);
            sides.recorded = measured;
            sides.linmem_process.add(process::run(&mut linmem_run(setup, &guest))?.time);
        }
        Ok(sides)
    }

    fn meet(&self, bar: f64) -> bool {
        let (guest, plain) = (&self.observed_guest, &self.plain_guest);
        guest.ratio_of_min(plain) <= bar && guest.median_ratio(plain) <= bar
    }

    fn row(&self, program: &Program) -> Vec<String> {
        let plain = self.plain_guest.min().as_secs_f64();
        let events = self.recorded.events as f64;
        let ratio = |ratio: f64| format!("{ratio:.2}x");
        vec![
            program.title.to_owned(),
            self.recorded.events.to_string(),
            format!("{:.2}", events / plain / 1e6),
            self.recorded.contexts.to_string(),
            format!("{:.1}", self.recorded.trace_bytes as f64 / events),
            format!("{plain:.2}"),
            ratio(self.observed_guest.ratio_of_min(&self.plain_guest)),
            ratio(self.observed_guest.median_ratio(&self.plain_guest)),
            ratio(self.linmem_process.ratio_of_min(&self.plain_process)),
            ratio(self.linmem_process.median_ratio(&self.plain_process)),
            ratio(program.bar),
            if self.meet(program.bar) { "yes" } else { "no" }.to_owned(),
        ]
    }
}

fn linmem_run(setup: &Setup, guest: &Guest) -> Command {
    let mut command = Command::new(&setup.linmem);
    command.args(["run", "--quiet", "--dir"]).arg(format!("{}::/", guest.root.display()));
    command.arg(&guest.file).arg("--").args(&guest.args);
    command
}
