//! `linmem check`: run a program with every access of memory checked.

use std::process::ExitCode;

use anyhow::Result;
use linmem::Mode;

use crate::{output, run};

/// Run a WASI program like `run`, and check each of its reads and writes of memory
///
/// Found are accesses of freed blocks, past the end of blocks and before their start, of heap memory that no block owns,
/// and near NULL. The program goes on after each.
#[derive(clap::Args)]
#[command(after_help = output::EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    run: run::Args,

    #[command(flatten)]
    checking: Checking,
}

/// Whether to check accesses, and how.
#[derive(clap::Args)]
pub struct Checks {
    /// Check each read and write of memory, as `linmem check` does
    #[arg(long, help_heading = "Checks")]
    check: bool,

    #[command(flatten)]
    checking: Checking,
}

impl Checks {
    /// How to check accesses, if that is asked for.
    pub fn checking(&self) -> Option<&Checking> {
        self.check.then_some(&self.checking)
    }
}

/// How to check accesses.
#[derive(clap::Args)]
pub struct Checking {
    #[command(flatten)]
    pub limits: Limits,

    /// Stop the program at the first access that is not right
    #[arg(long, help_heading = "Checks")]
    pub stop_at_first: bool,
}

/// What checking takes.
#[derive(clap::Args)]
pub struct Limits {
    /// Bytes behind each block in which accesses are found
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = linmem::instrument::REDZONE_BYTES,
        value_parser = clap::value_parser!(u32).range(1..=4096),
        help_heading = "Checks"
    )]
    redzone: u32,

    /// Keep freed blocks from reuse, up to this many bytes
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = linmem::instrument::QUARANTINE_BYTES,
        help_heading = "Checks"
    )]
    quarantine: u64,
}

impl Limits {
    /// How to instrument a module.
    pub fn mode(&self, fail_alloc: Option<u64>) -> Mode {
        Mode::check(fail_alloc).with_redzone(self.redzone).with_quarantine(self.quarantine)
    }

    /// How to instrument, as options of a command line.
    pub fn options(&self) -> Vec<String> {
        [
            "--check",
            "--redzone",
            &self.redzone.to_string(),
            "--quarantine",
            &self.quarantine.to_string(),
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    run::observe(args.run, Some(&args.checking))
}
