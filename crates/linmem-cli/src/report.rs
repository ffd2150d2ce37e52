//! `linmem report`: render a recorded run again.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use linmem::analyze::{self, analyze_stream};

use crate::output::{self, Output};

/// Report on a run that was recorded with `linmem run --trace`
#[derive(clap::Args)]
#[command(after_help = output::EXIT_CODES)]
pub struct Args {
    /// The recorded run
    #[arg(value_name = "FILE")]
    trace: PathBuf,

    #[command(flatten)]
    output: Output,
}

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    let name = || args.trace.display().to_string();
    let file = File::open(&args.trace).with_context(|| format!("cannot read {}", name()))?;
    let options = analyze::Options { hot_sites: args.output.top, ..analyze::Options::default() };
    let report = analyze_stream(file, &options).with_context(name)?;
    args.output.write(&report)?;
    Ok(output::exit_code(&report))
}
