//! `linmem instrument`: write the instrumented module.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use linmem::Allocator;
use linmem::call_graph::CallGraph;
use linmem::instrument::{self, instrument};
use linmem::symbolize::Symbolizer;

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

    #[command(flatten)]
    allocator: AllocatorArgs,
}

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    let wasm = files::read(&args.module)?;
    let module = files::parse(&args.module, &wasm)?;
    let name = || args.module.display().to_string();
    let graph = CallGraph::new(&module);
    let debug = files::external_debug_info(&args.module, &wasm);
    let symbols = Symbolizer::new(&module, debug.as_deref());
    let allocator = Allocator::discover(&module, &graph, &symbols, &args.allocator.hints())
        .with_context(name)?;
    let instrumented = instrument(&module, &graph, &allocator, &instrument::Options::default())
        .with_context(name)?;
    if let Some(path) = &args.map {
        let map = instrumented.recorder_map(&module, &allocator).with_context(name)?;
        files::write(path, &map)?;
    }
    files::write(&args.output, &instrumented.wasm)?;
    Ok(ExitCode::SUCCESS)
}
