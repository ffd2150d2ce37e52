//! `linmem run`: run a program under observation and report.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use linmem::Analysis;
use linmem::units::{bytes, count};

use crate::check::Checking;
use crate::files;
use crate::guest::GuestArgs;
use crate::output::{self, Output};

/// Run a WASI program (command or reactor) and report what its memory did
#[derive(clap::Args)]
#[command(after_help = output::EXIT_CODES)]
pub struct Args {
    /// The program; it is not changed
    #[arg(value_name = "PROGRAM.wasm")]
    program: PathBuf,

    /// Arguments for the program
    #[arg(value_name = "ARGS", last = true)]
    args: Vec<String>,

    #[command(flatten)]
    output: Output,

    /// Keep the recorded run in this file, for `linmem report`
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    guest: GuestArgs,
}

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    observe(args, None)
}

/// Runs the program, with its accesses checked if that is asked for.
pub fn observe(args: Args, checks: Option<&Checking>) -> Result<ExitCode> {
    let wasm = files::read(&args.program)?;
    let debug = files::debug_information(&args.program, &wasm);
    let mut run = args.guest.prepare(&args.program, &wasm, debug.as_deref(), checks)?;
    run = run.inherit_stdio().args(&args.args).analysis(args.output.analysis());
    if let Some(path) = &args.trace {
        run = run.trace_into(create(path)?);
    }
    let mut progress = Progress::new(args.output.wants_progress());
    let observed = run.observe(move |analysis| progress.show(analysis));
    let observed = files::about(&args.program, observed)?;

    args.output.write(&observed.report)?;
    let trace = args.trace.as_deref().unwrap_or(Path::new(""));
    observed.outcome.kept.with_context(|| format!("cannot write {}", trace.display()))?;
    Ok(output::exit_code(&observed.report))
}

/// Makes the file for a trace.
pub fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}

/// The progress line on the terminal, while a program runs for long.
struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// Most programs end before progress is shown.
    const AFTER: Duration = Duration::from_secs(2);

    /// Redraws per second; the program may be writing to the same terminal.
    const HZ: u8 = 2;

    fn new(wanted: bool) -> Progress {
        let target = match wanted {
            true => ProgressDrawTarget::stderr_with_hz(Self::HZ),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template("linmem: {elapsed}, {msg}").unwrap_or_else(
            // The template is a constant.
            |_| ProgressStyle::default_spinner(),
        ));
        Progress { bar, started: Instant::now() }
    }

    fn show(&mut self, analysis: &Analysis) {
        if self.started.elapsed() > Self::AFTER {
            let live = analysis.totals().at_end.bytes;
            self.bar.set_message(format!(
                "{} heap events, {} live",
                count(analysis.events()),
                bytes(live)
            ));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
