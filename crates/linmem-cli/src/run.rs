//! `linmem run`: run a program under observation and report.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use linmem::analyze::{self, analyze_stream_with};
use linmem::replay::Replay;
use linmem::report::Report;
use linmem::report::text::{bytes, count};

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
    let wasm = files::read(&args.program)?;
    let debug = files::external_debug_info(&args.program, &wasm);
    let name = args.program.file_name().unwrap_or_default().to_string_lossy();
    let run = args
        .guest
        .prepare(&wasm, &name, debug.as_deref())
        .with_context(|| args.program.display().to_string())?;
    let run = run.inherit_stdio().args(&args.args);

    let trace = args.trace.as_deref().map(create).transpose()?;
    let options = analyze::Options { hot_sites: args.output.top, debug_files: vec![debug.clone()] };
    let (sink, mut source) = stream(trace);
    let mut progress = Progress::new(args.output.wants_progress());
    let analysis = thread::spawn(move || {
        let report = analyze_stream_with(&mut source, &options, |replay| progress.show(replay));
        (report, source.finish())
    });
    let outcome = run.run_into(sink);
    let (report, kept) = analysis.join().map_err(|_| anyhow!("the analysis failed"))?;
    outcome.with_context(|| args.program.display().to_string())?;
    let report: Report = report.with_context(|| args.program.display().to_string())?;

    args.output.write(&report)?;
    let trace = args.trace.as_deref().unwrap_or(Path::new(""));
    kept.with_context(|| format!("cannot write {}", trace.display()))?;
    Ok(output::exit_code(&report))
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}

/// Chunks that may wait for the analysis before the program has to.
const CHUNKS_WAITING: usize = 64;

/// Connects the recording to the analysis, which runs beside the program and keeps a copy.
fn stream(copy: Option<File>) -> (Chunks, Arriving) {
    let (send, receive) = sync_channel(CHUNKS_WAITING);
    (Chunks(send), Arriving { receive, chunk: Vec::new(), at: 0, copy, failure: None })
}

/// The recorder's end.
struct Chunks(SyncSender<Vec<u8>>);

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The analysis is there for as long as the recorder is.
        let _ = self.0.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The analysis's end.
struct Arriving {
    receive: Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
    /// Where a copy goes, until it fails; the analysis goes on without it.
    copy: Option<File>,
    failure: Option<io::Error>,
}

impl Arriving {
    /// Waits for the next chunk; whether there is one.
    fn advance(&mut self) -> bool {
        let Ok(chunk) = self.receive.recv() else { return false };
        if let Some(error) = self.copy.as_mut().and_then(|file| file.write_all(&chunk).err()) {
            self.copy = None;
            self.failure = Some(error);
        }
        (self.chunk, self.at) = (chunk, 0);
        true
    }

    /// Waits for the end, also where the analysis could make no sense of the recording. An error
    /// means that the copy is not whole.
    fn finish(mut self) -> io::Result<()> {
        while self.advance() {}
        self.failure.map_or(Ok(()), Err)
    }
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            if !self.advance() {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.chunk.len() - self.at);
        buffer[..count].copy_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// A line on the terminal while a program runs for long.
struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// Most programs are over before this.
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

    fn show(&mut self, replay: &Replay) {
        if self.started.elapsed() > Self::AFTER {
            let live = replay.totals().at_end.bytes;
            self.bar.set_message(format!(
                "{} heap events, {} live",
                count(replay.events),
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
