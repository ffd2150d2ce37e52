//! Runs modules in an embedded wasmtime. Only this file, and those below it, name the engine.

mod frame_names;
mod hooks;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use ::wasmtime as engine;
use engine::{
    AsContextMut, Config, Engine, ExternType, Instance, Linker, Memory, ResourceLimiter, Store,
    WasmBacktrace,
};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

pub use engine::{FuncType, Val, ValType};

use frame_names::FrameNames;
use hooks::{define_hooks, frames_of};

use super::{Recorder, Sink};
use crate::allocator::{Allocator, Hints, Role};
use crate::analyze::repeats::RepeatsBuilder;
use crate::analyze::{self, analyze_replay};
use crate::call_graph::CallGraph;
use crate::error::{Error, ErrorKind, Result};
use crate::event;
use crate::heap::{Held, Totals};
use crate::instrument::{self, Instrumented, OffsetMap};
use crate::module::Module;
use crate::replay::Replay;
use crate::report::{AfterCall, Repeats, Report, Witnesses};
use crate::symbolize::Symbolizer;
use crate::trace::{Reader, Record, Trace};

/// Frames in a backtrace at most; the outermost ones are left out.
const MAX_FRAMES: usize = 100;

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
/// let run = linmem::wasmtime::Run::new(&wasm)?.args(["--fast"]).run()?;
/// let report = linmem::analyze(&run.trace)?;
/// assert_eq!(report.totals.allocated_bytes, 100);
/// # Ok::<(), linmem::Error>(())
/// ```
pub struct Run<'a> {
    wasm: &'a [u8],
    name: String,
    args: Vec<String>,
    wasi: WasiCtxBuilder,
    inherits_stdio: bool,
    hints: Hints,
    external_debug: Option<&'a [u8]>,
    options: instrument::Options,
    max_pages: Option<u64>,
    timeout: Option<Duration>,
    stub_imports: bool,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Outcome {
    /// The recording; empty if it went elsewhere ([`Run::run_into`]).
    pub trace: Trace,
    /// How the program ended.
    pub exit: Exit,
    /// What the program wrote to stdout, unless it inherited the host's.
    pub stdout: Vec<u8>,
    /// What the program wrote to stderr, unless it inherited the host's.
    pub stderr: Vec<u8>,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// [`ErrorKind::InvalidModule`] or [`ErrorKind::Unsupported`].
    pub fn new(wasm: &'a [u8]) -> Result<Run<'a>> {
        Module::parse(wasm)?;
        let mut wasi = WasiCtxBuilder::new();
        wasi.allow_blocking_current_thread(true);
        Ok(Run {
            wasm,
            name: "module.wasm".to_owned(),
            args: Vec::new(),
            wasi,
            inherits_stdio: false,
            hints: Hints::new(),
            external_debug: None,
            options: instrument::Options::default(),
            max_pages: None,
            timeout: None,
            stub_imports: false,
        })
    }

    /// The program's own name, which reports show and the program sees as its argument 0.
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Adds arguments, after the program's name.
    pub fn args<S: AsRef<str>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Grants an environment variable.
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
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.wasi.stdin(MemoryInputPipe::new(bytes.into()));
        self
    }

    /// Connects the program's stdin, stdout and stderr to the host's.
    pub fn inherit_stdio(mut self) -> Self {
        self.wasi.inherit_stdio();
        self.inherits_stdio = true;
        self
    }

    /// Says that a function, given by name or index, is an allocator function.
    pub fn allocator_function(mut self, role: Role, name_or_index: &str) -> Self {
        self.hints.push((role, name_or_index.to_owned()));
        self
    }

    /// The file that holds the module's debug information, if it is not in the module.
    pub fn debug_file(mut self, bytes: &'a [u8]) -> Self {
        self.external_debug = Some(bytes);
        self
    }

    /// Lets the Nth allocation, counted from 1, return NULL.
    pub fn fail_alloc(mut self, nth: u64) -> Self {
        self.options.fail_alloc = Some(nth);
        self
    }

    /// Caps the memory: every growth past this many pages fails.
    pub fn max_pages(mut self, pages: u64) -> Self {
        self.max_pages = Some(pages);
        self
    }

    /// Stops the program after this time.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Lets imports that nobody provides trap when they are called, instead of being refused.
    pub fn stub_imports(mut self) -> Self {
        self.stub_imports = true;
        self
    }

    /// Runs the program: `_start` of a command, `_initialize` of a reactor.
    ///
    /// # Errors
    ///
    /// When the program cannot be started. How the program itself ends is in
    /// [`Outcome::exit`].
    pub fn run(self) -> Result<Outcome> {
        let mut session = self.start()?;
        session.run_command()?;
        session.finish()
    }

    /// Like [`run`](Run::run), but the recording streams into `sink`, and
    /// [`Outcome::trace`] stays empty.
    ///
    /// # Errors
    ///
    /// As for [`run`](Run::run), and [`ErrorKind::Io`] when the sink fails.
    pub fn run_into(self, sink: impl Write + Send + 'static) -> Result<Outcome> {
        let mut session = self.start_into(Box::new(sink), Shared::default())?;
        session.run_command()?;
        session.finish()
    }

    /// Instantiates the module, for calls of its exports one by one.
    ///
    /// # Errors
    ///
    /// When the module cannot be instantiated.
    pub fn start(self) -> Result<Session> {
        let memory = Shared::default();
        self.start_into(Box::new(memory.clone()), memory)
    }

    fn start_into(mut self, sink: Sink, recorded: Shared) -> Result<Session> {
        let module = Module::parse(self.wasm)?;
        let graph = CallGraph::new(&module);
        let symbols = Symbolizer::new(&module, self.external_debug);
        let allocator = Allocator::discover(&module, &graph, &symbols, &self.hints)?;
        let Instrumented { wasm, map } =
            instrument::instrument(&module, &graph, &allocator, &self.options)?;

        let engine = Engine::new(&self.engine_config()).map_err(refused)?;
        let compiled = engine::Module::new(&engine, &wasm).map_err(refused)?;
        let output = (MemoryOutputPipe::new(usize::MAX), MemoryOutputPipe::new(usize::MAX));
        if !self.inherits_stdio {
            self.wasi.stdout(output.0.clone()).stderr(output.1.clone());
        }
        let wasi = self.wasi.arg(&self.name).args(&self.args).build_p1();
        let recorder = Recorder::new(&module, &self.name, &allocator, sink);
        let limits = Limits { max_pages: self.max_pages };
        let state = State { wasi, recorder, map, limits, memory: None, ended: None };
        let mut store = Store::new(&engine, state);
        store.limiter(|state| &mut state.limits);
        let watchdog = self.timeout.map(|limit| {
            store.set_epoch_deadline(1);
            Watchdog::start(engine.clone(), limit)
        });

        let linker = self.linker(&engine, &compiled, &module, &mut store)?;
        self.check_start(&module)?;
        let declared_max = module.memories.first().and_then(|memory| memory.max_pages);
        store.data_mut().recorder.record(&Record::Instance {
            module: 0,
            initial_pages: module.memories.first().map_or(0, |memory| memory.initial_pages),
            max_pages: declared_max.into_iter().chain(self.max_pages).min(),
        });
        let mut session = Session {
            globals: event::exported_globals(&module).collect(),
            store,
            instance: None,
            names: FrameNames::new(&module),
            exports: module
                .exported_functions()
                .map(|(name, function)| (name.to_owned(), function))
                .collect(),
            reader: Reader::new(recorded.clone()),
            recorded,
            replay: Replay::default(),
            analysis: analyze::Options {
                debug_files: vec![self.external_debug.map(<[u8]>::to_vec)],
                ..analyze::Options::default()
            },
            output: (!self.inherits_stdio).then_some(output),
            _watchdog: watchdog,
        };
        session.instantiate(&linker, &compiled, &module)?;
        Ok(session)
    }

    fn engine_config(&self) -> Config {
        let mut config = Config::new();
        config.wasm_backtrace_max_frames(NonZeroUsize::new(MAX_FRAMES));
        config.epoch_interruption(self.timeout.is_some());
        config
    }

    fn linker(
        &self,
        engine: &Engine,
        compiled: &engine::Module,
        module: &Module<'_>,
        store: &mut Store<State>,
    ) -> Result<Linker<State>> {
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p1::add_to_linker_sync(&mut linker, |state: &mut State| &mut state.wasi)
            .map_err(refused)?;
        let is_64 = module.memories.first().is_some_and(|memory| memory.is_64);
        let define = if is_64 { define_hooks::<u64> } else { define_hooks::<u32> };
        define(&mut linker).map_err(refused)?;
        if self.stub_imports {
            linker.define_unknown_imports_as_traps(compiled).map_err(refused)?;
        }
        let missing: Vec<String> = compiled
            .imports()
            .filter(|import| linker.get_by_import(&mut *store, import).is_none())
            .map(|import| {
                format!("`{}.{}` ({})", import.module(), import.name(), kind_of(&import.ty()))
            })
            .collect();
        if !missing.is_empty() {
            return Err(Error::new(
                ErrorKind::MissingImports,
                format!(
                    "the module imports {} that WASI preview 1 does not provide: {}. With \
                     --stub-imports the functions among them trap only when they are called",
                    if missing.len() == 1 { "something" } else { "things" },
                    missing.join(", "),
                ),
            ));
        }
        Ok(linker)
    }

    /// Refuses a cap that the module's initial memory is already over.
    fn check_start(&self, module: &Module<'_>) -> Result<()> {
        match (self.max_pages, module.memories.first()) {
            (Some(cap), Some(memory)) if memory.initial_pages > cap => Err(Error::new(
                ErrorKind::InvalidRequest,
                format!(
                    "--max-pages {cap} is less than the {} pages that the module starts with",
                    memory.initial_pages
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// A running instance whose exports can be called one by one.
///
/// ```
/// use linmem::wasmtime::{Run, Val};
/// let wasm = wat::parse_str(
///     r#"(module
///          (memory (export "memory") 1)
///          (global $next (mut i32) (i32.const 4096))
///          (func (export "malloc") (param $size i32) (result i32)
///            (global.get $next)
///            (global.set $next (i32.add (global.get $next) (local.get $size))))
///          (func (export "free") (param i32)))"#,
/// ).unwrap();
/// let mut session = Run::new(&wasm)?.start()?;
/// let pointer = session.call("malloc", &[Val::I32(100)])?[0].unwrap_i32();
/// assert_eq!(session.report()?.totals.at_end.bytes, 100);
/// session.call("free", &[Val::I32(pointer)])?;
/// assert_eq!(session.report()?.totals.at_end.bytes, 0);
/// # Ok::<(), linmem::Error>(())
/// ```
pub struct Session {
    store: Store<State>,
    instance: Option<Instance>,
    globals: Vec<u32>,
    names: FrameNames,
    /// The exported functions' indices.
    exports: BTreeMap<String, u32>,
    /// The recording so far, unless it goes elsewhere.
    recorded: Shared,
    reader: Reader<Shared>,
    replay: Replay,
    analysis: analyze::Options,
    output: Option<(MemoryOutputPipe, MemoryOutputPipe)>,
    _watchdog: Option<Watchdog>,
}

impl Session {
    fn instantiate(
        &mut self,
        linker: &Linker<State>,
        compiled: &engine::Module,
        module: &Module<'_>,
    ) -> Result<()> {
        let instance = match linker.instantiate(&mut self.store, compiled) {
            Ok(instance) => instance,
            // The start function of the module is guest code like any other.
            Err(error) if self.guest_ended(&error) => return Ok(()),
            Err(error) => return Err(refused(error)),
        };
        self.instance = Some(instance);
        let memory = instance.get_memory(&mut self.store, event::MEMORY_EXPORT);
        self.store.data_mut().memory = memory;
        if let Some(memory) = memory {
            let (bytes, state) = memory.data_and_store_mut(&mut self.store);
            state.recorder.watch_low_memory(module, bytes);
        }
        let is_command = module.exported_functions().any(|(name, _)| name == "_start");
        let initialize = module.exported_functions().any(|(name, _)| name == "_initialize");
        if initialize && !is_command {
            self.call_recorded("_initialize", &[])?;
        }
        Ok(())
    }

    /// Runs `_start`, if there is one.
    fn run_command(&mut self) -> Result<()> {
        let has_start = self.export("_start").is_some();
        if has_start && self.store.data().ended.is_none() {
            self.call_recorded("_start", &[])?;
        }
        Ok(())
    }

    /// Calls an export.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] when there is no such function or the arguments do not fit
    /// its type; [`ErrorKind::Engine`] when the guest traps or exits, or has done so before.
    pub fn call(&mut self, export: &str, args: &[Val]) -> Result<Vec<Val>> {
        if let Some(ended) = &self.store.data().ended {
            return Err(Error::new(
                ErrorKind::Engine,
                format!("cannot call `{export}`: the instance has ended ({ended})"),
            ));
        }
        let results = self.call_recorded(export, args)?;
        results.ok_or_else(|| {
            let ended = self.store.data().ended.as_ref().map(ToString::to_string);
            Error::new(ErrorKind::Engine, format!("`{export}`: {}", ended.unwrap_or_default()))
        })
    }

    /// Does the same work again and again, and says whether memory and live bytes come to rest: the
    /// leak test. `name` is what the result calls the work.
    ///
    /// ```
    /// # use linmem::wasmtime::{Run, Val};
    /// # let wasm = include_bytes!("../../../../examples/strings.wasm");
    /// let mut session = Run::new(wasm)?.start()?;
    /// let repeats = session.repeat("round trip", 16, |session| {
    ///     let block = session.call("allocate", &[Val::I32(131_073)])?;
    ///     session.call("deallocate", &block)?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(repeats.problem(), None);
    ///
    /// let leak = session.repeat("leak", 16, |session| {
    ///     session.call("allocate", &[Val::I32(100)]).map(drop)
    /// })?;
    /// let problem = leak.problem().unwrap();
    /// assert!(problem.contains("100 live bytes more with each"), "{problem}");
    ///
    /// // A test that tests nothing.
    /// let idle = session.repeat("nothing", 16, |_| Ok(()))?;
    /// assert!(idle.problem().unwrap().contains("allocated nothing in this instance"));
    /// # Ok::<(), linmem::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`report`](Session::report). That the work itself fails is in [`Repeats::failure`].
    pub fn repeat(
        &mut self,
        name: &str,
        times: u64,
        mut work: impl FnMut(&mut Session) -> Result<()>,
    ) -> Result<Repeats> {
        let mut before = self.totals()?;
        let mut repeats = RepeatsBuilder::new(name, times, self.after(&before, &before));
        for _ in 0..times {
            if let Err(error) = work(self) {
                return Ok(repeats.fail(error.to_string()));
            }
            let now = self.totals()?;
            repeats.add(self.after(&before, &now));
            before = now;
        }
        Ok(repeats.finish())
    }

    /// What there is to know after a call: the figures before it, and now.
    pub fn after(&mut self, before: &Totals, now: &Totals) -> AfterCall {
        AfterCall {
            pages: self.witnesses().unwrap_or_default(),
            live_bytes: now.at_end.bytes,
            allocated: Held {
                blocks: now.allocations + now.reallocations
                    - before.allocations
                    - before.reallocations,
                bytes: now.allocated_bytes - before.allocated_bytes,
            },
            freed_blocks: now.frees - before.frees,
            ..AfterCall::default()
        }
    }

    /// What the heap did so far, and what nothing points to at this instant.
    ///
    /// # Errors
    ///
    /// As for [`analyze`](crate::analyze()).
    pub fn report(&mut self) -> Result<Report> {
        // An instance that has ended left its last state behind, with its frames.
        if self.store.data().ended.is_none() {
            self.check_low_memory();
            self.take_snapshot(false);
        }
        self.catch_up()?;
        analyze_replay(&self.replay, &self.analysis)
    }

    /// Live bytes: the sizes of all blocks that are allocated and not freed.
    ///
    /// # Errors
    ///
    /// As for [`report`](Session::report).
    pub fn live_bytes(&mut self) -> Result<u64> {
        self.catch_up()?;
        Ok(self.replay.totals().at_end.bytes)
    }

    /// Replays what has been recorded since the last time.
    fn catch_up(&mut self) -> Result<()> {
        self.store.data_mut().recorder.flush();
        for record in &mut self.reader {
            self.replay.apply(record?)?;
        }
        Ok(())
    }

    /// What the heap did so far, in figures.
    ///
    /// # Errors
    ///
    /// As for [`report`](Session::report).
    pub fn totals(&mut self) -> Result<Totals> {
        self.catch_up()?;
        Ok(self.replay.totals())
    }

    /// Size of memory 0 in pages, as the host sees it.
    pub fn pages(&self) -> u64 {
        self.store.data().memory.map_or(0, |memory| memory.size(&self.store))
    }

    /// Size of memory 0 in pages, as each of those sees it who can. `None` without a memory, or when
    /// the instance has ended.
    pub fn witnesses(&mut self) -> Option<Witnesses> {
        let memory = self.store.data().memory.filter(|_| self.store.data().ended.is_none())?;
        let page_bytes = memory.page_size(&self.store);
        let size = self.export(event::SIZE_EXPORT)?;
        let mut executed = [Val::I32(0)];
        size.call(&mut self.store, &[], &mut executed).ok()?;
        Some(Witnesses {
            host_view: memory.data_size(&self.store) as u64 / page_bytes,
            grow_zero: memory.grow(&mut self.store, 0).ok()?,
            memory_size: integer(&executed[0])?,
        })
    }

    /// The type of an exported function.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] when there is no such function; the message lists those that
    /// there are.
    pub fn function_type(&mut self, export: &str) -> Result<FuncType> {
        match self.export(export) {
            Some(function) => Ok(function.ty(&self.store)),
            None => Err(self.no_such_function(export)),
        }
    }

    /// The instance, in [`store`](Session::store), for libraries that work on these. `None` when the
    /// module's start function did not return.
    pub fn instance(&self) -> Option<Instance> {
        self.instance
    }

    /// Whether addresses in memory 0 have 64 bits.
    pub fn has_64_bit_memory(&self) -> bool {
        self.store.data().memory.is_some_and(|memory| memory.ty(&self.store).is_64())
    }

    /// The engine's store. What is called in it is recorded.
    pub fn store(&mut self) -> impl AsContextMut<Data: Send> {
        &mut self.store
    }

    /// Memory 0, to read and write as any host would.
    pub fn memory(&mut self) -> &mut [u8] {
        match self.store.data().memory {
            Some(memory) => memory.data_mut(&mut self.store),
            None => &mut [],
        }
    }

    /// Ends the recording.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] when the recording could not be written.
    pub fn finish(mut self) -> Result<Outcome> {
        let exit = match &self.store.data().ended {
            None => Exit::Code(0),
            Some(Ended::Exit(code)) => Exit::Code(*code),
            Some(Ended::Trap(message)) => Exit::Trap(message.clone()),
        };
        if self.store.data().ended.is_none() {
            self.check_low_memory();
            self.take_snapshot(false);
            self.store.data_mut().recorder.record(&Record::Exit { code: 0 });
        }
        let (stdout, stderr) = match &self.output {
            Some((stdout, stderr)) => (stdout.contents().to_vec(), stderr.contents().to_vec()),
            None => Default::default(),
        };
        self.store.into_data().recorder.finish()?;
        Ok(Outcome { trace: Trace::from_bytes(self.recorded.recording()), exit, stdout, stderr })
    }

    fn no_such_function(&mut self, name: &str) -> Error {
        let exports = self.instance.map(|instance| {
            let all: Vec<_> = instance.exports(&mut self.store).collect();
            let functions = all.into_iter().filter_map(|export| {
                let name = export.name().to_owned();
                export.into_func().map(|_| name)
            });
            functions.filter(|name| !event::is_ours(name)).collect::<Vec<_>>().join("`, `")
        });
        let others = match exports.unwrap_or_default() {
            none if none.is_empty() => "it exports none".to_owned(),
            names => format!("it exports `{names}`"),
        };
        let message = format!("the module exports no function `{name}`; {others}");
        Error::new(ErrorKind::InvalidRequest, message)
    }

    fn export(&mut self, name: &str) -> Option<engine::Func> {
        self.instance?.get_func(&mut self.store, name)
    }

    /// Calls an export between two records. `None` when the guest ended in it.
    fn call_recorded(&mut self, export: &str, args: &[Val]) -> Result<Option<Vec<Val>>> {
        let Some(function) = self.export(export) else {
            return Err(self.no_such_function(export));
        };
        let ty = function.ty(&self.store);
        let fits = ty.params().len() == args.len()
            && ty
                .params()
                .zip(args)
                .all(|(ty, arg)| arg.matches_ty(&self.store, &ty).unwrap_or(false));
        if !fits {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!("`{export}` takes {}, not {args:?}", param_list(&ty)),
            ));
        }
        let mut results = vec![Val::I32(0); ty.results().len()];
        if let (None, Some(&function)) = (self.store.data().memory, self.exports.get(export)) {
            // Without a memory the module is as it was, and does not tell.
            self.store.data_mut().recorder.record(&Record::Called { function, times: 1 });
        }
        let called = function.call(&mut self.store, args, &mut results);
        self.check_low_memory();
        match called {
            Ok(()) => Ok(Some(results)),
            Err(error) if self.guest_ended(&error) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    /// Records that the guest ended by itself, if that is what the error says.
    fn guest_ended(&mut self, error: &engine::Error) -> bool {
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let frames = backtrace.map_or(Vec::new(), |b| frames_of(b, &self.store.data().map));
        let (ended, record, frames_live) = if let Some(exit) = error.downcast_ref::<I32Exit>() {
            let live = self.names.user_frame_in(&frames);
            (Ended::Exit(exit.0), Record::Exit { code: exit.0 }, live)
        } else if let Some(trap) = error.downcast_ref::<engine::Trap>() {
            let message = match trap {
                engine::Trap::Interrupt => "stopped: the time allowed is over".to_owned(),
                trap => trap.to_string(),
            };
            (Ended::Trap(message.clone()), Record::Trap { message, frames }, true)
        } else if backtrace.is_some() {
            let message = error.root_cause().to_string();
            (Ended::Trap(message.clone()), Record::Trap { message, frames }, true)
        } else {
            return false;
        };
        self.take_snapshot(frames_live);
        let state = self.store.data_mut();
        state.recorder.record(&record);
        state.ended = Some(ended);
        true
    }

    fn check_low_memory(&mut self) {
        if let Some(memory) = self.store.data().memory {
            let (bytes, state) = memory.data_and_store_mut(&mut self.store);
            state.recorder.check_low_memory(bytes);
        }
    }

    fn take_snapshot(&mut self, frames_live: bool) {
        let (Some(instance), Some(memory)) = (self.instance, self.store.data().memory) else {
            return;
        };
        let mut globals = Vec::new();
        for &index in &self.globals {
            let global = instance.get_global(&mut self.store, &event::global_export(index));
            if let Some(value) = global.and_then(|g| integer(&g.get(&mut self.store))) {
                globals.push((u64::from(index), value));
            }
        }
        let (bytes, state) = memory.data_and_store_mut(&mut self.store);
        state.recorder.snapshot(bytes, globals, frames_live);
    }
}

/// What wasmtime keeps for the host functions.
struct State {
    wasi: WasiP1Ctx,
    recorder: Recorder,
    map: OffsetMap,
    limits: Limits,
    memory: Option<Memory>,
    ended: Option<Ended>,
}

#[derive(Debug, Clone)]
enum Ended {
    Exit(i32),
    Trap(String),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Exit(code) => write!(f, "the program exited with code {code}"),
            Ended::Trap(message) => write!(f, "the program trapped: {message}"),
        }
    }
}

struct Limits {
    max_pages: Option<u64>,
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> engine::Result<bool> {
        let pages = desired as u64 / crate::module::PAGE_BYTES;
        Ok(self.max_pages.is_none_or(|cap| pages <= cap))
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> engine::Result<bool> {
        Ok(true)
    }
}

/// Ends a program that runs for too long.
struct Watchdog {
    /// Dropping it tells the thread that the program has ended.
    _running: mpsc::Sender<()>,
}

impl Watchdog {
    fn start(engine: Engine, limit: Duration) -> Watchdog {
        let (running, ended) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if ended.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        });
        Watchdog { _running: running }
    }
}

/// A recording in memory. The recorder writes at its end, and each clone reads on from where it
/// stopped.
#[derive(Clone, Default)]
struct Shared {
    bytes: Arc<Mutex<Vec<u8>>>,
    read: usize,
}

impl Shared {
    /// The whole recording, which is over.
    fn recording(&self) -> Vec<u8> {
        self.bytes.lock().map(|mut bytes| std::mem::take(&mut *bytes)).unwrap_or_default()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Ok(mut recorded) = self.bytes.lock() {
            recorded.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Ok(recorded) = self.bytes.lock() else { return Ok(0) };
        let count = recorded.get(self.read..).unwrap_or_default().read(buffer)?;
        self.read += count;
        Ok(count)
    }
}

fn integer(value: &Val) -> Option<u64> {
    match value {
        Val::I32(value) => Some(u64::from(*value as u32)),
        Val::I64(value) => Some(*value as u64),
        _ => None,
    }
}

fn kind_of(ty: &ExternType) -> &'static str {
    match ty {
        ExternType::Func(_) => "function",
        ExternType::Global(_) => "global",
        ExternType::Table(_) => "table",
        ExternType::Memory(_) => "memory",
        ExternType::Tag(_) => "tag",
    }
}

fn param_list(ty: &engine::FuncType) -> String {
    let params: Vec<String> = ty.params().map(|param| param.to_string()).collect();
    format!("({})", params.join(", "))
}

fn refused(error: engine::Error) -> Error {
    Error::new(ErrorKind::Engine, format!("wasmtime: {error:#}"))
}
