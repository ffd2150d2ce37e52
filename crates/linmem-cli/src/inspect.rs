//! `linmem inspect`: what is in a module, without running it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use linmem::Prepared;

use crate::files;
use crate::guest::AllocatorArgs;
use crate::output::options_for;

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
    let debug = files::debug_information(&args.module, &wasm);
    let prepared = Prepared::new(&wasm, &args.allocator.hints(), debug.as_deref());
    let inspection = prepared.and_then(|prepared| prepared.inspect());
    let inspection = files::about(&args.module, inspection)?;
    // The reader closed stdout, and does not need to be told so.
    let _ = linmem::export::inspection(&inspection, options_for, &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
