//! `linmem node`: run a Node program with every WebAssembly instance in it under observation.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};
use include_dir::{Dir, include_dir};
use linmem::analyze::{self, analyze_stream};
use linmem::report::Report;
use linmem::report::text::escape;
use tempfile::TempDir;

use crate::guest::AllocatorArgs;
use crate::output::{self, Output};

/// Run a Node program and report what the memories of its WebAssembly instances did
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// A script for node, or a command that starts node, with its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    allocator: AllocatorArgs,

    /// Keep the recordings in this directory, one for each process and thread
    #[arg(long, value_name = "DIRECTORY", help_heading = "Report")]
    traces: Option<PathBuf>,
}

const HELP: &str = "\
linmem node test.mjs --fast           runs node test.mjs --fast
linmem node -- npx mocha test/*.js    runs any command; all node processes in it are watched

Exit code: the program's own if it is not 0; else 1 when an error was found, and 2 when linmem could
not do its job.";

/// The recorder, which runs in the program that is watched.
static RECORDER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../packages/linmem/src");

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    let scratch = TempDir::new().context("cannot make a temporary directory")?;
    let recorder = scratch.path().join("recorder");
    fs::create_dir(&recorder).and_then(|()| RECORDER.extract(&recorder))?;
    // What is there says what kind of modules these are.
    fs::write(scratch.path().join("package.json"), r#"{"type": "module"}"#)?;
    let traces = match &args.traces {
        Some(directory) => directory.clone(),
        None => scratch.path().join("traces"),
    };
    fs::create_dir_all(&traces)
        .with_context(|| format!("cannot make the directory {}", traces.display()))?;
    let traces = traces.canonicalize()?;

    let status = run(&args, &recorder.join("node.js"), &traces)?;
    let report = report(&traces, &args)?;
    match report {
        Some(report) if !report.instances.is_empty() => {
            args.output.write(&report)?;
            Ok(exit_code(status, output::exit_code(&report)))
        }
        nothing_watched => {
            let notes = nothing_watched.map(|report| report.notes).unwrap_or_default();
            args.output.note("linmem: the program made no WebAssembly instance to watch")?;
            notes.iter().try_for_each(|note| args.output.note(&escape(note)))?;
            Ok(exit_code(status, ExitCode::SUCCESS))
        }
    }
}

/// Runs the command with the recorder in all its node processes.
fn run(args: &Args, recorder: &Path, traces: &Path) -> Result<ExitStatus> {
    let mut process = match args.command.as_slice() {
        [script, ..] if is_script(script) => {
            let mut node = Command::new("node");
            node.args(&args.command);
            node
        }
        [program, arguments @ ..] => {
            let mut process = Command::new(program);
            process.args(arguments);
            process
        }
        [] => bail!("no command"),
    };
    let options = std::env::var("NODE_OPTIONS").unwrap_or_default();
    let import = format!("--import={}", file_url(recorder));
    process
        .env("NODE_OPTIONS", format!("{options} {import}").trim())
        .env("LINMEM_TRACE_DIR", traces)
        .env("LINMEM_INSTRUMENT_OPTIONS", serde_json::to_string(&args.allocator.options())?)
        .env("LINMEM_PROGRAM", std::env::current_exe()?);
    let name = process.get_program().to_string_lossy().into_owned();
    process.status().with_context(|| format!("cannot run {name}"))
}

fn is_script(word: &str) -> bool {
    let extension = Path::new(word).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("js" | "mjs" | "cjs" | "ts" | "mts" | "cts"))
}

/// A path as node's options take it: in a URL nothing has to be quoted but what has a meaning there.
fn file_url(path: &Path) -> String {
    let mut url = String::from("file://");
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                url.push(byte.into());
            }
            other => url += &format!("%{other:02X}"),
        }
    }
    url
}

/// What the recordings of all processes and threads say; `None` if there are none.
fn report(traces: &Path, args: &Args) -> Result<Option<Report>> {
    let entries = fs::read_dir(traces).with_context(|| traces.display().to_string())?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "trace"));
    files.sort();
    let options = analyze::Options { hot_sites: args.output.top, ..analyze::Options::default() };
    let mut reports = Vec::new();
    for file in files {
        let name = || file.display().to_string();
        let source = BufReader::new(File::open(&file).with_context(name)?);
        reports.push(analyze_stream(source, &options).with_context(name)?);
    }
    Ok(Report::merge(reports))
}

/// The program's own code, unless all is well with it.
fn exit_code(status: ExitStatus, found: ExitCode) -> ExitCode {
    match status.code() {
        Some(0) => found,
        Some(code) => ExitCode::from(code as u8),
        None => ExitCode::from(128u8.saturating_add(signal(status))),
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    status.signal().and_then(|signal| u8::try_from(signal).ok()).unwrap_or_default()
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> u8 {
    0
}
