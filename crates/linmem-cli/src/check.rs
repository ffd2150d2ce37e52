//! `linmem check`: run a program with every access of memory checked.

use std::process::ExitCode;

use anyhow::Result;
use linmem::{Mode, Prepared};

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
    limits: Limits,
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
    ///
    /// # Errors
    ///
    /// When its accesses cannot be checked.
    pub fn mode(&self, prepared: &Prepared<'_>, fail_alloc: Option<u64>) -> Result<Mode> {
        if prepared.memory().is_some_and(|memory| memory.shared) {
            anyhow::bail!(
                "accesses of a memory that threads share cannot be checked; `linmem run` and `linmem node` record it"
            );
        }
        Ok(Mode::check(fail_alloc, self.redzone, self.quarantine))
    }
}

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    run::observe(args.run, Some(&args.limits))
}
