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
use linmem::allocator::Role;
use linmem::analyze::{self, analyze_stream_with};
use linmem::replay::Replay;
use linmem::report::Report;
use linmem::report::text::{bytes, count};
use linmem::wasmtime::Run;

use crate::files;
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

    /// Grant a directory, and what is in it; GUEST is its name for the program
    #[arg(long, value_name = "HOST[::GUEST]", help_heading = "Program")]
    dir: Vec<String>,

    /// Grant an environment variable; without VALUE, linmem's own
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "Program")]
    env: Vec<String>,

    /// Stop the program after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Program")]
    timeout: Option<Duration>,

    /// Cap the memory: every growth past this many pages (of 64 KiB) fails
    #[arg(long, value_name = "N", help_heading = "Program")]
    max_pages: Option<u64>,

    /// Let the Nth allocation, counted from 1, return NULL
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Program")]
    fail_alloc: Option<u64>,

    /// Let functions that WASI does not provide trap only when they are called
    #[arg(long, help_heading = "Program")]
    stub_imports: bool,

    #[command(flatten)]
    allocator: AllocatorArgs,
}

/// Which functions allocate, where the module does not say.
#[derive(clap::Args)]
#[command(next_help_heading = "Allocator functions, each by name or index")]
pub struct AllocatorArgs {
    /// malloc(size) -> pointer
    #[arg(long, value_name = "NAME|INDEX")]
    malloc: Vec<String>,
    /// free(pointer)
    #[arg(long, value_name = "NAME|INDEX")]
    free: Vec<String>,
    /// calloc(count, size) -> pointer
    #[arg(long, value_name = "NAME|INDEX")]
    calloc: Vec<String>,
    /// realloc(pointer, size) -> pointer
    #[arg(long, value_name = "NAME|INDEX")]
    realloc: Vec<String>,
    /// reallocarray(pointer, count, size) -> pointer
    #[arg(long, value_name = "NAME|INDEX")]
    reallocarray: Vec<String>,
    /// aligned_alloc(alignment, size) -> pointer
    #[arg(long, value_name = "NAME|INDEX")]
    aligned_alloc: Vec<String>,
    /// posix_memalign(pointer to result, alignment, size) -> error
    #[arg(long, value_name = "NAME|INDEX")]
    posix_memalign: Vec<String>,
    /// __rust_alloc(size, alignment) -> pointer
    #[arg(long, value_name = "NAME|INDEX")]
    rust_alloc: Vec<String>,
    /// __rust_dealloc(pointer, size, alignment)
    #[arg(long, value_name = "NAME|INDEX")]
    rust_dealloc: Vec<String>,
    /// __rust_realloc(pointer, old size, alignment, new size) -> pointer
    #[arg(long, value_name = "NAME|INDEX")]
    rust_realloc: Vec<String>,
    /// cabi_realloc(pointer, old size, alignment, new size) -> pointer
    #[arg(long, value_name = "NAME|INDEX")]
    cabi_realloc: Vec<String>,
    /// dealloc(pointer, size)
    #[arg(long, value_name = "NAME|INDEX")]
    sized_free: Vec<String>,
}

impl AllocatorArgs {
    /// The hints, one for each name or index given.
    pub fn hints(&self) -> Vec<(Role, String)> {
        let by_role = [
            (Role::Malloc, &self.malloc),
            (Role::Free, &self.free),
            (Role::Calloc, &self.calloc),
            (Role::Realloc, &self.realloc),
            (Role::ReallocArray, &self.reallocarray),
            (Role::AlignedAlloc, &self.aligned_alloc),
            (Role::PosixMemalign, &self.posix_memalign),
            (Role::RustAlloc, &self.rust_alloc),
            (Role::RustDealloc, &self.rust_dealloc),
            (Role::RustRealloc, &self.rust_realloc),
            (Role::CabiRealloc, &self.cabi_realloc),
            (Role::SizedFree, &self.sized_free),
        ];
        let pairs =
            by_role.into_iter().flat_map(|(role, names)| names.iter().map(move |n| (role, n)));
        pairs.map(|(role, name)| (role, name.clone())).collect()
    }
}

/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    let wasm = files::read(&args.program)?;
    let debug = files::external_debug_info(&args.program, &wasm);
    let run = prepare(&args, &wasm, debug.as_deref())?;

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

fn prepare<'a>(args: &Args, wasm: &'a [u8], debug: Option<&'a [u8]>) -> Result<Run<'a>> {
    let name = args.program.file_name().unwrap_or_default().to_string_lossy();
    let mut run = Run::new(wasm).with_context(|| args.program.display().to_string())?;
    run = run.name(&name).inherit_stdio().args(&args.args);
    for grant in &args.dir {
        let (host, guest) = grant.split_once("::").unwrap_or((grant, grant));
        run = run.dir(host, guest)?;
    }
    for variable in &args.env {
        run = match variable.split_once('=') {
            Some((name, value)) => run.env(name, value),
            None => {
                let value = std::env::var(variable)
                    .with_context(|| format!("--env {variable}: cannot pass it on"))?;
                run.env(variable, &value)
            }
        };
    }
    for (role, name) in args.allocator.hints() {
        run = run.allocator_function(role, &name);
    }
    if let Some(debug) = debug {
        run = run.debug_file(debug);
    }
    if let Some(pages) = args.max_pages {
        run = run.max_pages(pages);
    }
    if let Some(nth) = args.fail_alloc {
        run = run.fail_alloc(nth);
    }
    if let Some(limit) = args.timeout {
        run = run.timeout(limit);
    }
    if args.stub_imports {
        run = run.stub_imports();
    }
    Ok(run)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
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
