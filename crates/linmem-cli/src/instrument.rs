//! `linmem instrument`: write the instrumented module.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use linmem::{Mode, Prepared};

use crate::check::Limits;
use crate::files;
use crate::guest::AllocatorArgs;

/// Write the instrumented module that `linmem run` would run
#[derive(clap::Args)]
pub struct Args {
    /// The module; it is not changed
    #[arg(value_name = "IN.wasm")]
    module: PathBuf,

    /// Where to write the instrumented module
    #[arg(long, short, value_name = "OUT.wasm")]
    output: PathBuf,

    /// Also write what a recorder has to know (docs/trace-format.md), as JSON
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,

    /// Check each read and write of memory, as `linmem check` does
    #[arg(long, help_heading = "Checks")]
    check: bool,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    allocator: AllocatorArgs,
}

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    let wasm = files::read(&args.module)?;
    let debug = files::debug_information(&args.module, &wasm);
    let prepared = Prepared::new(&wasm, &args.allocator.hints(), debug.as_deref());
    let prepared = files::about(&args.module, prepared)?;
    let mode = if args.check { args.limits.mode(None).for_v8() } else { Mode::default() };
    let instrumented = files::about(&args.module, prepared.instrument(&mode))?;
    if let Some(path) = &args.map {
        let map = files::about(&args.module, instrumented.recorder_map(&prepared))?;
        files::write(path, &map)?;
    }
    files::write(&args.output, &instrumented.wasm)?;
    Ok(ExitCode::SUCCESS)
}
