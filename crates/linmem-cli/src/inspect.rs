//! `linmem inspect`: what is in a module, without running it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use linmem::inspect::inspect;

use crate::files;
use crate::guest::AllocatorArgs;

/// Show what is in a module, without running it
///
/// Memories and their limits, where data, stack and heap lie, the toolchain, which functions
/// allocate and on what evidence, and the text of every function that asks for or changes the
/// size of a memory.
#[derive(clap::Args)]
pub struct Args {
    /// The module
    #[arg(value_name = "MODULE.wasm")]
    module: PathBuf,

    #[command(flatten)]
    allocator: AllocatorArgs,
}

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    let wasm = files::read(&args.module)?;
    let module = files::parse(&args.module, &wasm)?;
    let debug = files::external_debug_info(&args.module, &wasm);
    let inspection = inspect(&module, debug.as_deref(), &args.allocator.hints())
        .with_context(|| args.module.display().to_string())?;
    // Whoever closed stdout does not want to hear that it is closed.
    let _ = write!(std::io::stdout().lock(), "{inspection}");
    Ok(ExitCode::SUCCESS)
}
