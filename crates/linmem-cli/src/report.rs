//! `linmem report`: render a recorded run again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use linmem::{AnalysisOptions, Report, analyze_stream};

use crate::output::{self, Output};
use crate::recordings::Recordings;

/// Report on a run that was recorded with `--trace` or `linmem node --traces`
#[derive(clap::Args)]
#[command(after_help = output::EXIT_CODES)]
pub struct Args {
    /// The recorded run: a file, or a directory with one for each process and thread
    #[arg(value_name = "FILE|DIRECTORY")]
    trace: PathBuf,

    #[command(flatten)]
    output: Output,
}

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    let options = args.output.analysis();
    let report = if args.trace.is_dir() {
        Recordings::new(&args.trace, options)
            .finish()?
            .with_context(|| format!("{} has no recordings (*.trace)", args.trace.display()))?
    } else {
        report(&args.trace, &options)?
    };
    args.output.write(&report)?;
    Ok(output::exit_code(&report))
}

fn report(trace: &Path, options: &AnalysisOptions) -> Result<Report> {
    let name = || trace.display().to_string();
    let file = File::open(trace).with_context(|| format!("cannot read {}", name()))?;
    analyze_stream(file, options).with_context(name)
}
