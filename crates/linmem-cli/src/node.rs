//! `linmem node`: run a Node program with every WebAssembly instance in it under observation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, anyhow, bail};
use linmem::report::NothingWatched;
use tempfile::TempDir;
use url::Url;

use crate::FAILED;
use crate::check::Checks;
use crate::files;
use crate::guest::AllocatorArgs;
use crate::interrupt::on_interrupt;
use crate::output::{self, Output};
use crate::recordings::Recordings;

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
    checks: Checks,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    allocator: AllocatorArgs,

    /// Collect garbage and let finalizers run before a program ends, so that they are judged too
    #[arg(long, help_heading = "Program")]
    collect: bool,

    /// Keep the recordings in this directory, one for each process and thread
    #[arg(long, value_name = "DIRECTORY", help_heading = "Report")]
    traces: Option<PathBuf>,
}

const HELP: &str = "\
linmem node test.mjs --fast           runs node test.mjs --fast
linmem node -- npx mocha test/*.js    runs any command; all node processes in it are watched

Exit code: the program's own if it is not 0; else 1 when an error was found, and 2 when linmem could
not do its job.";

/// The recorder, which runs in the program that is watched, and what starts it there.
const RECORDER: &str = include_str!(concat!(env!("OUT_DIR"), "/recorder.cjs"));
const START: &str = include_str!(concat!(env!("OUT_DIR"), "/preload.cjs"));

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    let scratch = TempDir::new().context("cannot make a temporary directory")?;
    // It takes what is beside its folder for its own, too, as in the package.
    let folder = scratch.path().join("recorder/node");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("recorder.cjs"), RECORDER)?;
    let recorder = folder.join("preload.cjs");
    fs::write(&recorder, START)?;
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

    // The program has the signal too, and does with it what it does without linmem.
    on_interrupt(|| {})?;
    let mut recordings = Recordings::new(&traces, args.output.analysis().collected(args.collect));
    let process = start(&args, &recorder, &traces)?;
    let status = recordings.follow(process)?;
    let report = recordings.finish()?.unwrap_or_default();
    let found = match report.nothing_watched() {
        None => {
            args.output.write(&report)?;
            output::exit_code(&report)
        }
        Some(nothing) => {
            args.output.write_instead(nothing, &report)?;
            match nothing {
                NothingWatched::Refused => ExitCode::from(FAILED),
                _ => ExitCode::SUCCESS,
            }
        }
    };
    Ok(exit_code(status, found))
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
            let mut process = Command::new(executable(program));
            process.args(arguments);
            process
        }
        [] => bail!("no command"),
    };
    let options = std::env::var("NODE_OPTIONS").unwrap_or_default();
    let checking = args.checks.checking();
    let mut instrument = args.allocator.options();
    instrument.extend(checking.into_iter().flat_map(|checking| checking.limits.options()));
    process
        .env("NODE_OPTIONS", format!("{} {options}", preload(recorder)?).trim_end())
        .env("LINMEM_TRACE_DIR", traces)
        // Recordings that are kept hold all that they need.
        .env("LINMEM_MODULES_BESIDE", if args.traces.is_none() { "1" } else { "" })
        .env("LINMEM_INSTRUMENT_OPTIONS", serde_json::to_string(&instrument)?)
        .env("LINMEM_PROGRAM", std::env::current_exe()?);
    if checking.is_some_and(|checking| checking.stop_at_first) {
        process.env("LINMEM_STOP_AT_FIRST", "1");
    }
    if args.collect {
        process.env("LINMEM_COLLECT", "1");
    }
    let name = process.get_program().to_string_lossy().into_owned();
    process.spawn().with_context(|| format!("cannot run {name}"))
}

fn is_script(word: &str) -> bool {
    let extension = Path::new(word).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("js" | "mjs" | "cjs" | "ts" | "mts" | "cts"))
}

/// The option of node that loads the recorder, as early as node can. A path that is not UTF-8 cannot be required.
fn preload(recorder: &Path) -> Result<String> {
    Ok(match recorder.to_str() {
        Some(path) => format!("--require={}", quoted(path)),
        None => format!("--import={}", file_url(recorder)?),
    })
}

/// A word of NODE_OPTIONS.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\""))
}

/// A path for node's options: a URL needs no quotes in NODE_OPTIONS, on any system.
fn file_url(path: &Path) -> Result<Url> {
    Url::from_file_path(path).map_err(|()| anyhow!("{} is not an absolute path", path.display()))
}

/// The file that a command's name stands for. On Windows that can be a script (`npx.cmd`), which has to be
/// named with its extension; it is run by the system's shell.
#[cfg(windows)]
fn executable(program: &str) -> PathBuf {
    which::which(program).unwrap_or_else(|_| program.into())
}

#[cfg(not(windows))]
fn executable(program: &str) -> PathBuf {
    program.into()
}

/// The program's own exit code if it is not 0, otherwise linmem's.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorder_in_any_directory_is_a_url_without_spaces() {
        let directory = std::env::temp_dir().join("it's a \"100%\" näme #1?");
        let url = file_url(&directory.join("preload.cjs")).unwrap();
        assert!(!url.as_str().contains([' ', '"', '#', '?']), "{url}");
        assert_eq!(url.to_file_path(), Ok(directory.join("preload.cjs")));
        assert!(file_url(Path::new("preload.cjs")).is_err());
    }

    #[test]
    fn node_finds_a_recorder_in_any_directory() {
        let scratch = TempDir::new().unwrap();
        let directory = scratch.path().join("it's a \"100%\" näme #1?");
        fs::create_dir(&directory).unwrap();
        let recorder = directory.join("preload.cjs");
        fs::write(&recorder, "console.log('required')").unwrap();
        let mut node = Command::new("node");
        node.args(["--eval", ""]).env("NODE_OPTIONS", preload(&recorder).unwrap());
        let output = node.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "required\n");
        // Node imports nothing whose path has a backslash, except on Windows.
        assert_eq!(quoted(r"C:\Users\me"), r#""C:\\Users\\me""#);
    }
}
