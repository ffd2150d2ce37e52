//! How much longer programs take under observation.

use anyhow::{Context, Result};

use crate::Setup;
use crate::child::{Guest, Measured, Role};
use crate::process::{self, Ended};
use crate::programs::Program;
use crate::table::Table;
use crate::timing::Times;

/// Measures the programs one after the other, their two sides interleaved.
pub fn measure(setup: &Setup) -> Result<Table> {
    let (mut met, mut disturbed) = (true, 0);
    let mut rows = Vec::new();
    for program in &setup.programs {
        eprintln!("{} ...", program.name);
        let sides = Sides::measure(setup, program).with_context(|| program.name)?;
        met &= sides.meet(program.bar);
        disturbed += sides.disturbed;
        rows.push(sides.row(program));
    }
    Ok(Table {
        title: "Overhead",
        note: format!(
            "{} rounds, interleaved. *Guest* is the CPU time from the call of `_start` to its return; \
             *process* is `linmem run --quiet --no-cache` against the same engine alone, with compilation, \
             analysis and all. Each as the ratio of the shortest times, and as the median of the \
             rounds' ratios. *CPU* is the CPU time of the two processes: linmem analyses in a \
             second thread, beside the program. A bar is met when both guest ratios and the \
             process ratio of the shortest are within it. Of the {} rounds of all programs, \
             {disturbed} were disturbed by other processes and count for CPU times only.",
            setup.rounds,
            setup.rounds as usize * setup.programs.len(),
        ),
        columns: vec![
            "program",
            "events",
            "M events/s",
            "contexts",
            "bytes/event",
            "plain s",
            "guest min",
            "guest median",
            "process min",
            "process median",
            "CPU",
            "bar",
            "met",
        ],
        rows,
        met,
    })
}

#[derive(Default)]
struct Sides {
    plain_guest: Times,
    plain_process: Times,
    plain_cpu: Times,
    observed_guest: Times,
    linmem_process: Times,
    linmem_cpu: Times,
    recorded: Measured,
    /// Rounds whose whole processes say nothing.
    disturbed: u32,
}

/// The sides measured once, one right after the other.
struct Round {
    plain: (Ended, Measured),
    observed: (Ended, Measured),
    linmem: Ended,
}

impl Round {
    fn measure(setup: &Setup, guest: &Guest) -> Result<Round> {
        Ok(Round {
            plain: guest.measure(&setup.bench, Role::Plain)?,
            observed: guest.measure(&setup.bench, Role::Observed)?,
            linmem: process::run(&mut guest.linmem_command(&setup.linmem, &[]))?,
        })
    }

    fn disturbed(&self) -> bool {
        self.plain.0.disturbed || self.linmem.disturbed
    }
}

impl Sides {
    /// Rounds that other processes disturbed are measured again, within limits.
    fn measure(setup: &Setup, program: &Program) -> Result<Sides> {
        let guest = program.guest(setup)?;
        let mut sides = Sides::default();
        let mut spare_rounds = setup.rounds;
        let mut rounds = 0;
        while rounds < setup.rounds {
            let round = Round::measure(setup, &guest)?;
            if round.disturbed() && spare_rounds > 0 {
                spare_rounds -= 1;
                continue;
            }
            rounds += 1;
            sides.add(round);
        }
        Ok(sides)
    }

    fn add(&mut self, round: Round) {
        if round.disturbed() {
            self.disturbed += 1;
        } else {
            self.plain_process.add(round.plain.0.time);
            self.linmem_process.add(round.linmem.time);
        }
        self.plain_guest.add(round.plain.1.guest_time);
        self.observed_guest.add(round.observed.1.guest_time);
        self.plain_cpu.add(round.plain.0.cpu_time);
        self.linmem_cpu.add(round.linmem.cpu_time);
        self.recorded = round.observed.1;
    }

    fn meet(&self, bar: f64) -> bool {
        let guest = self.observed_guest.ratio_of_min(&self.plain_guest);
        let guest_median = self.observed_guest.median_ratio(&self.plain_guest);
        // Not a number when every round was disturbed; `max` passes over it.
        let process = self.linmem_process.ratio_of_min(&self.plain_process);
        guest.max(guest_median).max(process) <= bar
    }

    fn row(&self, program: &Program) -> Vec<String> {
        let plain = self.plain_guest.min().as_secs_f64();
        let events = self.recorded.events as f64;
        let ratio =
            |ratio: f64| if ratio.is_nan() { "-".to_owned() } else { format!("{ratio:.2}x") };
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
            ratio(self.linmem_cpu.median_ratio(&self.plain_cpu)),
            ratio(program.bar),
            if self.meet(program.bar) { "yes" } else { "no" }.to_owned(),
        ]
    }
}
