//! Where reports go and how they look: text on stderr or in a file, JSON in a file.

use std::io::{IsTerminal, Write};
use std::iter;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{ArgAction, ValueEnum};
use linmem::export::{self, TextOptions};
use linmem::report::{EndReport, NothingWatched, Remedy};
use linmem::units::escape;
use linmem::{AnalysisOptions, Report};

/// The text below the options of every command with a report.
pub const EXIT_CODES: &str = "Exit code: 1 when an error was found in the program, 2 when linmem could \
    not do its job, 134 when the program trapped, and the program's own otherwise.";

/// The options that every command with a report has.
#[derive(clap::Args)]
#[command(next_help_heading = "Report")]
pub struct Output {
    /// Write the report to this file instead of stderr
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Also write the report as JSON to this file (`-` is stdout)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write no text report; the exit code tells the result
    #[arg(long, short, action = ArgAction::SetTrue)]
    quiet: bool,

    /// When to use colours; NO_COLOR is heeded
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,

    /// Call stacks to list in each category of hot sites
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub top: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Color {
    /// On a terminal
    Auto,
    Always,
    Never,
}

impl Output {
    /// Writes the report wherever the user wants it. If one of the files cannot be written, the other
    /// one still is.
    pub fn write(&self, report: &Report) -> Result<()> {
        let text = self.write_text(report);
        self.write_json(report)?;
        text
    }

    /// How to analyse a recording for the report.
    pub fn analysis(&self) -> AnalysisOptions {
        AnalysisOptions::new(self.top)
    }

    /// Writes a headline and the report's notes in place of its text.
    pub fn write_instead(&self, headline: NothingWatched, report: &Report) -> Result<()> {
        let headline = format!("linmem: {headline}");
        let lines = iter::once(&headline).chain(&report.notes);
        let lines: String = lines.map(|line| escape(line) + "\n").collect();
        let text = self.put(lines.as_bytes());
        self.write_json(report)?;
        text
    }

    fn write_text(&self, report: &Report) -> Result<()> {
        let color = self.output.is_none() && self.color.on_stderr();
        let mut text = Vec::new();
        export::text(report, TextOptions::new(color, options_for), &mut text)?;
        self.put(&text)
    }

    fn put(&self, text: &[u8]) -> Result<()> {
        match &self.output {
            _ if self.quiet => {}
            Some(path) => crate::files::write(path, text)?,
            // The reader closed stderr, and does not need to be told so.
            None => drop(std::io::stderr().lock().write_all(text)),
        }
        Ok(())
    }

    fn write_json(&self, report: &Report) -> Result<()> {
        let Some(path) = &self.json else { return Ok(()) };
        if path.as_os_str() == "-" {
            let mut stdout = std::io::stdout().lock();
            return export::json(report, options_for, &mut stdout)
                .context("cannot write to stdout");
        }
        let mut bytes = Vec::new();
        export::json(report, options_for, &mut bytes)?;
        crate::files::write(path, &bytes)
    }

    /// Whether to show progress: on a terminal, unless the user asked for `--quiet`.
    pub fn wants_progress(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }
}

/// The options of this program that do what the library's advice says.
pub fn options_for(remedy: Remedy) -> Option<&'static str> {
    match remedy {
        Remedy::NameAllocatorFunctions => Some("--malloc, --free, …"),
        Remedy::NameMalloc => Some("--malloc INDEX"),
        Remedy::MoreCalls => Some("--times"),
        Remedy::Collect => Some("to see what finalizers free: the option --collect"),
        _ => None,
    }
}

impl Color {
    fn on_stderr(self) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
            }
        }
    }
}

/// 1 if an error was found, otherwise the program's own exit code; 134 for a trap, as for a native
/// program that aborts.
pub fn exit_code(report: &Report) -> ExitCode {
    const TRAPPED: u8 = 134;
    if report.has_errors() {
        return ExitCode::FAILURE;
    }
    match &report.end {
        Some(EndReport::Trap { .. }) => ExitCode::from(TRAPPED),
        // The operating system keeps the low byte; a non-zero code must not become zero.
        Some(EndReport::Exit { code }) => match (*code, *code as u8) {
            (0, _) => ExitCode::SUCCESS,
            (_, 0) => ExitCode::FAILURE,
            (_, low) => ExitCode::from(low),
        },
        _ => ExitCode::SUCCESS,
    }
}
