//! `linmem node`: run a Node program with every WebAssembly instance in it under observation.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use include_dir::{Dir, include_dir};
use linmem::analyze::{self, analyze_stream};
use linmem::report::Report;
use linmem::report::text::escape;
use tempfile::TempDir;

use crate::files;
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
    if files::traces(&traces)?.next().is_some() {
        bail!("{} has recordings already: name another directory", traces.display());
    }

    let mut analyses = Analyses::new(&traces, args.output.top);
    let process = start(&args, &recorder.join("node.js"), &traces)?;
    let status = analyses.run_beside(process)?;
    let report = analyses.finish()?;
    match report {
        Some(report) if !report.instances.is_empty() => {
            args.output.write(&report)?;
            Ok(exit_code(status, output::exit_code(&report)))
        }
        nothing_watched => {
            let report = nothing_watched.unwrap_or_default();
            args.output.note(match report.truncated {
                true => {
                    "linmem: the recording stops before the program made a WebAssembly instance"
                }
                false => "linmem: the program made no WebAssembly instance to watch",
            })?;
            report.notes.iter().try_for_each(|note| args.output.note(&escape(note)))?;
            Ok(exit_code(status, ExitCode::SUCCESS))
        }
    }
}

/// Starts the command with the recorder in all its node processes.
fn start(args: &Args, recorder: &Path, traces: &Path) -> Result<Child> {
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
    process.spawn().with_context(|| format!("cannot run {name}"))
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

/// Analyses the recordings of all processes and threads while these write them.
struct Analyses<'a> {
    traces: &'a Path,
    options: analyze::Options,
    /// Set when the command has ended.
    ended: Arc<AtomicBool>,
    running: BTreeMap<PathBuf, JoinHandle<Result<Report>>>,
}

impl Analyses<'_> {
    fn new(traces: &Path, hot_sites: usize) -> Analyses<'_> {
        let options = analyze::Options { hot_sites, ..analyze::Options::default() };
        Analyses { traces, options, ended: Arc::default(), running: BTreeMap::new() }
    }

    /// Waits for the command's end.
    fn run_beside(&mut self, mut process: Child) -> Result<ExitStatus> {
        loop {
            self.take_up_new_ones()?;
            match process.try_wait()? {
                Some(status) => return Ok(status),
                None => thread::sleep(LOOK_AGAIN),
            }
        }
    }

    fn take_up_new_ones(&mut self) -> Result<()> {
        for path in files::traces(self.traces)? {
            if self.running.contains_key(&path) {
                continue;
            }
            let file = File::open(&path).with_context(|| path.display().to_string())?;
            let growing = Growing { file, ended: self.ended.clone() };
            let options = self.options.clone();
            let name = path.display().to_string();
            let analysis =
                thread::spawn(move || analyze_stream(growing, &options).with_context(|| name));
            self.running.insert(path, analysis);
        }
        Ok(())
    }

    /// What they say; `None` if there is nothing.
    fn finish(mut self) -> Result<Option<Report>> {
        self.take_up_new_ones()?;
        self.ended.store(true, Ordering::Release);
        let reports = self.running.into_values().map(|analysis| {
            analysis.join().unwrap_or_else(|_| Err(anyhow!("the analysis failed")))
        });
        Ok(Report::merge(reports.collect::<Result<Vec<_>>>()?))
    }
}

/// A file that others write to until the command has ended.
struct Growing {
    file: File,
    ended: Arc<AtomicBool>,
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // In this order: what was written before the end is read.
            let ended = self.ended.load(Ordering::Acquire);
            match self.file.read(buffer)? {
                0 if !ended => thread::sleep(LOOK_AGAIN),
                count => return Ok(count),
            }
        }
    }
}

/// How often to look whether there is more.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

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
