//! `linmem inspect`
use std::path::PathBuf;
use std::process::ExitCode;
use anyhow::Result;
/// Show what is in a module, without running it
#[derive(clap::Args)]
pub struct Args {
    /// The module
    #[arg(value_name = "MODULE.wasm")]
    module: PathBuf,
}
/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    let wasm = crate::files::read(&args.module)?;
    let _module = crate::files::parse(&args.module, &wasm)?;
    Ok(ExitCode::SUCCESS)
}
