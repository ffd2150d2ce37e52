//! A module to run under observation, with what it is granted.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use linmem::trace::Buffer;
use linmem::{Analysis, AnalysisOptions, Error, ErrorKind, Mode, Prepared, Report, Result, Trace};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::linker::{Stub, Stubs};
use crate::pipe::{Beside, Copy, InBetween};
use crate::running::{Running, Way};
use crate::session::Session;
use crate::stop::Stopper;

/// A module to run under observation, with what it is granted. It gets no files, environment or
/// network unless it is granted them.
///
/// ```
/// let wasm = wat::parse_str(
///     r#"(module
///          (memory (export "memory") 1)
///          (func $malloc (export "malloc") (param i32) (result i32) i32.const 4096)
///          (func (export "_start") i32.const 100 call $malloc drop))"#,
/// ).unwrap();
/// let run = linmem_wasmtime::Run::new(&wasm)?.args(["--fast"]).run()?;
/// let report = linmem::analyze(&run.trace)?;
/// assert_eq!(report.totals.allocated_bytes, 100);
/// # Ok::<(), linmem::Error>(())
/// ```
pub struct Run<'a> {
    pub(crate) prepared: Prepared<'a>,
    pub(crate) name: String,
    pub(crate) args: Vec<String>,
    pub(crate) wasi: WasiCtxBuilder,
    pub(crate) inherits_stdio: bool,
    pub(crate) mode: Mode,
    pub(crate) stop_at_first: bool,
    pub(crate) max_pages: Option<u64>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) stubs: Stubs,
    pub(crate) stopper: Stopper,
    pub(crate) cache_dir: Option<PathBuf>,
    analysis: AnalysisOptions,
    copy: Option<Copy>,
}

/// What a run left behind.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The recording; empty if it went elsewhere ([`Run::run_into`]).
    pub trace: Trace,
    /// How the program ended.
    pub exit: Exit,
    /// What the program wrote to stdout, unless it inherited the host's.
    pub stdout: Vec<u8>,
    /// What the program wrote to stderr, unless it inherited the host's.
    pub stderr: Vec<u8>,
    /// Whether the trace that was to be kept is whole ([`Run::trace_into`]).
    pub kept: io::Result<()>,
}

/// What a run left behind that was analysed while it went on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Observed {
    /// What the program did with its memory.
    pub report: Report,
    /// What the run left behind.
    pub outcome: Outcome,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// It returned, or called `proc_exit`.
    Code(i32),
    /// It trapped; the engine's words.
    Trap(String),
}

impl<'a> Run<'a> {
    /// Prepares to run a WASI preview 1 command or reactor.
    ///
    /// # Errors
    ///
    /// As for [`Prepared::new`].
    pub fn new(wasm: &'a [u8]) -> Result<Run<'a>> {
        Ok(Run::of(Prepared::new(wasm, &Vec::new(), None)?))
    }

    /// Runs a module that has been prepared, for example with hints about its allocator.
    pub fn of(prepared: Prepared<'a>) -> Run<'a> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.allow_blocking_current_thread(true);
        Run {
            prepared,
            name: "module.wasm".to_owned(),
            args: Vec::new(),
            wasi,
            inherits_stdio: false,
            mode: Mode::default(),
            stop_at_first: false,
            max_pages: None,
            timeout: None,
            stubs: Stubs::default(),
            stopper: Stopper::default(),
            cache_dir: None,
            analysis: AnalysisOptions::default(),
            copy: None,
        }
    }

    /// The program's own name, which reports show and the program sees as its argument 0.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Adds arguments, after the program's name.
    #[must_use]
    pub fn args<S: AsRef<str>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Grants an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.wasi.env(name, value);
        self
    }

    /// Grants a directory of the host, with everything in it, under a name for the guest.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] when the directory cannot be opened.
    pub fn dir(mut self, host: impl AsRef<Path>, guest: &str) -> Result<Self> {
        let host = host.as_ref();
        self.wasi.preopened_dir(host, guest, FsPerms::ReadWrite).map_err(|error| {
            let message = format!("cannot open directory `{}`: {error:#}", host.display());
            Error::new(ErrorKind::InvalidRequest, message)
        })?;
        Ok(self)
    }

    /// Feeds the program's stdin from memory. Without this, or
    /// [`inherit_stdio`](Run::inherit_stdio), stdin is empty.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.wasi.stdin(MemoryInputPipe::new(bytes.into()));
        self
    }

    /// Connects the program's stdin, stdout and stderr to the host's.
    #[must_use]
    pub fn inherit_stdio(mut self) -> Self {
        self.wasi.inherit_stdio();
        self.inherits_stdio = true;
        self
    }

    /// Lets the Nth allocation, counted from 1, return NULL.
    #[must_use]
    pub fn fail_alloc(mut self, nth: u64) -> Self {
        self.mode = Mode::record(Some(nth));
        self
    }

    /// Whether the program is stopped at the first access that is not right, where the mode checks accesses.
    #[must_use]
    pub fn stop_at_first(mut self, stops: bool) -> Self {
        self.stop_at_first = stops;
        self
    }

    /// Instruments the module in this mode, instead of one that only records.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Caps the memory: every growth past this many pages fails.
    #[must_use]
    pub fn max_pages(mut self, pages: u64) -> Self {
        self.max_pages = Some(pages);
        self
    }

    /// Stops the program after this time.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Lets another thread stop the program.
    #[must_use]
    pub fn stopper(mut self, stopper: Stopper) -> Self {
        self.stopper = stopper;
        self
    }

    /// Provides functions that are imported and that nobody provides, instead of refusing the module.
    #[must_use]
    pub fn stub_imports(mut self, stub: Stub) -> Self {
        self.stubs.others = Some(stub);
        self
    }

    /// Provides a function that is imported, by `name` or `module.name`: it returns this number.
    #[must_use]
    pub fn stub(mut self, name: &str, value: i64) -> Self {
        self.stubs.values.insert(name.to_owned(), value);
        self
    }

    /// Keeps compiled code in this directory (an absolute path), up to about 512 MiB, so that the next run of the same module
    /// need not compile it. Where nothing can be written, nothing is kept. As the code is not looked at again when it
    /// is loaded, nobody else should be able to write there.
    #[must_use]
    pub fn cache_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(directory.into());
        self
    }

    /// How [`observe`](Run::observe) and [`Session::report`] analyse the recording.
    #[must_use]
    pub fn analysis(mut self, options: AnalysisOptions) -> Self {
        self.analysis = options;
        self
    }

    /// Keeps the recording that [`observe`](Run::observe) or a [`Session`] analyses.
    #[must_use]
    pub fn trace_into(mut self, copy: impl Write + Send + 'static) -> Self {
        self.copy = Some(Box::new(copy));
        self
    }

    /// Runs the program (`_start` of a command, `_initialize` of a reactor) and keeps the recording in
    /// memory.
    ///
    /// # Errors
    ///
    /// When the program cannot be started. How the program itself ends is in [`Outcome::exit`].
    pub fn run(self) -> Result<Outcome> {
        let buffer = Buffer::default();
        let outcome = self.run_into(buffer.clone())?;
        Ok(Outcome { trace: Trace::from_bytes(buffer.take()), ..outcome })
    }

    /// Like [`run`](Run::run), but the recording streams into `sink`, and [`Outcome::trace`] stays
    /// empty.
    ///
    /// # Errors
    ///
    /// As for [`run`](Run::run), and [`ErrorKind::Io`] when the sink fails.
    pub fn run_into(self, sink: impl Write + Send + 'static) -> Result<Outcome> {
        let (mut running, _) = Running::start(self, sink, Way::Command)?;
        running.run_command()?;
        running.finish()
    }

    /// Runs the program, and analyses the recording beside it, in a second thread: what is held is what
    /// was live, not the recording. `progress` sees the analysis every now and then.
    ///
    /// # Errors
    ///
    /// As for [`run`](Run::run).
    pub fn observe(mut self, progress: impl FnMut(&Analysis) + Send + 'static) -> Result<Observed> {
        let (chunks, beside) = Beside::start(self.analysis.clone(), self.copy.take(), progress);
        let ended =
            Running::start(self, chunks, Way::Command).and_then(|(mut running, prepared)| {
                running.run_command()?;
                Ok((running.finish()?, prepared))
            });
        let (analysis, kept) = beside.finish();
        let (outcome, prepared) = ended?;
        let report = analysis?.report_on(&prepared)?;
        Ok(Observed { report, outcome: Outcome { kept, ..outcome } })
    }

    /// Instantiates the module, for calls of its exports one by one.
    ///
    /// # Errors
    ///
    /// When the module cannot be instantiated.
    pub fn start(mut self) -> Result<Session<'a>> {
        let analysis = InBetween::start(self.analysis.clone(), self.copy.take());
        let (running, prepared) = Running::start(self, analysis.clone(), Way::Session)?;
        Ok(Session::new(running, prepared, Some(analysis)))
    }

    /// Like [`start`](Run::start), but the recording streams into `sink`, and the session has nothing to
    /// report.
    ///
    /// # Errors
    ///
    /// As for [`start`](Run::start).
    pub fn start_into(self, sink: impl Write + Send + 'static) -> Result<Session<'a>> {
        let (running, prepared) = Running::start(self, sink, Way::Session)?;
        Ok(Session::new(running, prepared, None))
    }
}
