//! The `linmem` program: arguments, files, colours, progress and exit codes. One file per
//! subcommand; what they do is in the library.

mod call;
mod check;
mod files;
mod guest;
mod guest_values;
mod inspect;
mod instrument;
mod interrupt;
mod node;
mod output;
mod recordings;
mod report;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use linmem::units::escape;

/// What WebAssembly memory is really doing: leaks, misuse, failed allocations and growth of core
/// WebAssembly modules, unmodified, with source lines.
#[derive(Parser)]
#[command(name = "linmem", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Check(check::Args),
    Call(call::Args),
    Node(node::Args),
    Report(report::Args),
    Inspect(inspect::Args),
    Instrument(instrument::Args),
}

/// Exit code when linmem could not do its job, as for wrong arguments.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::main(args),
        Command::Check(args) => check::main(args),
        Command::Call(args) => call::main(args),
        Command::Node(args) => node::main(args),
        Command::Report(args) => report::main(args),
        Command::Inspect(args) => inspect::main(args),
        Command::Instrument(args) => instrument::main(args),
    };
    result.unwrap_or_else(|error| {
        // One line. It is escaped, so that names from a module cannot send commands to the terminal.
        anstream::eprintln!("linmem: {}", escape(&format!("{error:#}")));
        ExitCode::from(FAILED)
    })
}
