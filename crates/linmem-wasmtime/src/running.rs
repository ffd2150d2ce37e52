//! A module in the engine: instantiated, called, and ended, with everything recorded. What becomes of the
//! recording is its sink's business.

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;

use linmem::instrument::{HOOK_MODULE, MEMORY_EXPORT, SIZE_EXPORT, TELL_EXPORT, is_added_export};
use linmem::record::{Hook, Recorder};
use linmem::trace::Frame;
use linmem::{Error, ErrorKind, Mode, Prepared, Result, Trace};
use wasmtime::{
    Config, Engine, Func, FuncType, Instance, Linker, Memory, Store, Val, WasmBacktrace,
};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::runtime::in_tokio;

use crate::compiled;
use crate::limits::Limits;
use crate::linker::linker;
use crate::recording::Recording;
use crate::refused;
use crate::run::{Exit, Outcome, Run};
use crate::seen::Lent;
use crate::stop::{Stopper, Watchdog};
use crate::watched::Watched;

/// Frames in a backtrace at most; the outermost ones are left out.
const MAX_FRAMES: usize = 100;

/// The number of the only instance of a recording.
const INSTANCE: usize = 0;

/// A running instance.
pub(crate) struct Running {
    pub(crate) store: Store<State>,
    watched: Watched,
    /// The exported functions' indices.
    exports: BTreeMap<String, u32>,
    output: Option<Output>,
    way: Way,
    stopper: Stopper,
    _watchdog: Option<Watchdog>,
}

/// What a module is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It runs once, in one call, and may be stopped while it waits.
    Command,
    /// It is called again and again, each call as fast as it can be.
    Session,
}

/// Where stdout and stderr go, unless the program inherited the host's.
type Output = (MemoryOutputPipe, MemoryOutputPipe);

/// What the store keeps for the host's functions.
pub(crate) struct State {
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) recording: Recording,
    limits: Limits,
    pub(crate) instance: Option<Instance>,
    /// Memory 0.
    pub(crate) memory: Option<Memory>,
    ended: Option<Ended>,
}

/// It was stopped before it returned; the words are those of whoever stopped it.
#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

/// How the instance ended, after which nothing can be called.
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

impl Running {
    /// Instantiates the module, with what `run` grants it.
    pub(crate) fn start(
        run: Run<'_>,
        sink: impl Write + Send + 'static,
        way: Way,
    ) -> Result<(Running, Prepared<'_>)> {
        let Run { prepared, name, args, mut wasi, inherits_stdio, mode, .. } = run;
        let mut config = Config::new();
        config.wasm_backtrace_max_frames(NonZeroUsize::new(MAX_FRAMES));
        config.epoch_interruption(run.timeout.is_some());
        config.wasm_branch_hinting(matches!(mode, Mode::Check { .. }));
        // It is there to save time: without it, all works as well.
        let cache = run.cache_dir.and_then(|directory| compiled::cache_in(directory).ok());
        config.cache(cache.clone());
        let engine = Engine::new(&config).map_err(refused)?;
        let hooks = HOOK_MODULE.to_owned();
        let watched = Watched::with(&engine, &prepared, &name, &mode, hooks, run.stop_at_first)?;
        if let Some(cache) = &cache {
            compiled::make_room(cache);
        }
        let output = (!inherits_stdio).then(|| {
            let output = (MemoryOutputPipe::new(usize::MAX), MemoryOutputPipe::new(usize::MAX));
            wasi.stdout(output.0.clone()).stderr(output.1.clone());
            output
        });
        let state = State {
            wasi: wasi.arg(&name).args(&args).build_p1(),
            recording: Recording::into_sink(sink),
            limits: Limits {
                max_pages: run.max_pages,
                excess_pages: mode.excess_pages(),
                added_pages: mode.log_pages(),
            },
            instance: None,
            memory: None,
            ended: None,
        };
        let mut store = Store::new(&engine, state);
        store.limiter(|state| &mut state.limits);
        let stopper = run.stopper;
        stopper.runs(&engine, &watched);
        let watchdog = run.timeout.map(|limit| {
            store.set_epoch_deadline(1);
            Watchdog::start(stopper.clone(), limit)
        });
        let linker = linker(&engine, &watched, &run.stubs, way == Way::Command, &mut store)?;
        let exports = prepared.exports().map(|(name, function)| (name.to_owned(), function));
        let exports = exports.collect();
        let mut running =
            Running { store, watched, exports, output, way, stopper, _watchdog: watchdog };
        running.limit(&prepared, run.max_pages)?;
        running.instantiate(&prepared, &linker)?;
        Ok((running, prepared))
    }

    /// Caps the memory, unless the cap is less than its initial size.
    fn limit(&mut self, prepared: &Prepared<'_>, cap: Option<u64>) -> Result<()> {
        let initial_pages = prepared.memory().map_or(0, |memory| memory.initial_pages);
        if let Some(cap) = cap.filter(|cap| initial_pages > *cap) {
            let message = format!(
                "the module starts with {initial_pages} pages, which is more than the cap of {cap}"
            );
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        Recording::with(&mut self.store, recording, |live, _| live.cap(cap));
        Ok(())
    }

    fn instantiate(&mut self, prepared: &Prepared<'_>, linker: &Linker<State>) -> Result<()> {
        let instance = match self.way {
            Way::Session => linker.instantiate(&mut self.store, self.watched.module()),
            Way::Command => {
                let instance = linker.instantiate_async(&mut self.store, self.watched.module());
                in_tokio(instance)
            }
        };
        self.introduce(prepared, instance.as_ref().ok().copied());
        let instance = match instance {
            Ok(instance) => instance,
            // The start function of the module is guest code like any other.
            Err(error) if self.guest_ended(&error) => return Ok(()),
            Err(error) => return Err(refused(error)),
        };
        let memory = instance.get_memory(&mut self.store, MEMORY_EXPORT);
        let state = self.store.data_mut();
        (state.instance, state.memory) = (Some(instance), memory);
        let is_command = self.exports.contains_key("_start");
        if self.exports.contains_key("_initialize") && !is_command {
            self.call("_initialize", &[])?;
        }
        Ok(())
    }

    /// Records the instance, unless its start function has made it known.
    fn introduce(&mut self, prepared: &Prepared<'_>, instance: Option<Instance>) {
        let watched = &self.watched;
        let is_watched = self.is_watched();
        Recording::with(&mut self.store, recording, |live, store| match instance {
            _ if live.knows(INSTANCE) => {}
            Some(instance) if is_watched => {
                live.meet(watched, store, |store, name| instance.get_export(store, name));
            }
            _ => {
                let memory = prepared.memory();
                let pages = memory.map_or(0, |memory| memory.initial_pages);
                live.announce(watched, pages, memory.and_then(|memory| memory.max_pages));
            }
        });
    }

    /// Whether the module calls hooks. Without a memory it is as it was.
    fn is_watched(&self) -> bool {
        self.watched.module().get_export_index(MEMORY_EXPORT).is_some()
    }

    /// Runs `_start`, if there is one.
    pub(crate) fn run_command(&mut self) -> Result<()> {
        if self.export("_start").is_some() && self.ended().is_none() {
            self.call("_start", &[])?;
        }
        Ok(())
    }

    /// Calls an export. `None` when the guest ended in it.
    pub(crate) fn call(&mut self, export: &str, args: &[Val]) -> Result<Option<Vec<Val>>> {
        let Some(function) = self.export(export) else {
            return Err(self.no_such_function(export));
        };
        let ty = function.ty(&self.store);
        let fits = ty.params().len() == args.len()
            && args
                .iter()
                .zip(ty.params())
                .all(|(arg, param)| arg.matches_ty(&self.store, &param).unwrap_or(false));
        if !fits {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!("`{export}` takes {}, not {args:?}", param_list(&ty)),
            ));
        }
        if let (false, Some(&index)) = (self.is_watched(), self.exports.get(export)) {
            self.with_recorder(|recorder, guest| {
                recorder.hook(INSTANCE, Hook::Entered, &[index.into(), 0, 0, 0], guest);
            });
        }
        let mut results = vec![Val::I32(0); ty.results().len()];
        let called = self.enter(function, args, &mut results);
        self.look();
        match called {
            Ok(()) => Ok(Some(results)),
            Err(error) if self.guest_ended(&error) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    /// Calls a function, until it returns or is stopped.
    fn enter(&mut self, function: Func, args: &[Val], results: &mut [Val]) -> wasmtime::Result<()> {
        if self.stopper.message().is_some() {
            return Err(Stopped.into());
        }
        if self.way == Way::Session {
            return function.call(&mut self.store, args, results);
        }
        let (store, stopper) = (&mut self.store, &self.stopper);
        in_tokio(async {
            tokio::select! {
                biased;
                called = function.call_async(store, args, results) => called,
                () = stopper.stopped() => Err(Stopped.into()),
            }
        })
    }

    /// Records that the guest ended by itself, if that is what the error says.
    fn guest_ended(&mut self, error: &wasmtime::Error) -> bool {
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let frames = backtrace.map_or(Vec::new(), |backtrace| self.frames(backtrace));
        let at_first = self.watched.stops_at_first() && self.watched.is_stopped();
        let at_first =
            at_first.then(|| "stopped: at the first access that is not right".to_owned());
        let stopped = self.stopper.message().or(at_first);
        let ended = if let Some(exit) = error.downcast_ref::<I32Exit>() {
            Ended::Exit(exit.0)
        } else if let Some(message) = stopped {
            Ended::Trap(message)
        } else if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
            Ended::Trap(trap.to_string())
        } else if backtrace.is_some() {
            Ended::Trap(error.root_cause().to_string())
        } else {
            return false;
        };
        self.record_end(&ended, frames);
        self.store.data_mut().ended = Some(ended);
        true
    }

    /// A backtrace in terms of the original module.
    fn frames(&self, backtrace: &WasmBacktrace) -> Vec<Frame> {
        let frames = backtrace.frames().iter();
        self.watched.map().frames(frames.map(|frame| (frame.func_index(), frame.module_offset())))
    }

    fn record_end(&mut self, ended: &Ended, frames: Vec<Frame>) {
        self.tell_accesses(&frames);
        self.with_recorder(|recorder, guest| {
            let frames_live =
                matches!(ended, Ended::Trap(_)) || recorder.frames_hold_pointers(INSTANCE, &frames);
            if guest.is_complete() {
                recorder.snapshot(INSTANCE, guest, frames_live);
            }
            match ended {
                Ended::Exit(code) => recorder.exited(*code),
                Ended::Trap(message) => recorder.trapped(message.clone(), frames),
            }
        });
    }

    /// Lets a module whose accesses are checked tell of those that its functions could not tell of, because they were ended
    /// with this stack.
    fn tell_accesses(&mut self, frames: &[Frame]) {
        let Some(tell) = self.export(TELL_EXPORT) else { return };
        self.with_recorder(|recorder, _| recorder.trapped_at(frames));
        // It cannot trap, and whoever stops the program has stopped it already.
        let _ = self.enter(tell, &[], &mut []);
    }

    /// Looks at memory near address 0, as after each call.
    fn look(&mut self) {
        if self.store.data().memory.is_some() {
            self.with_recorder(|recorder, guest| recorder.look(INSTANCE, guest));
        }
    }

    /// Records the state of memory and globals while no code of the module is running.
    pub(crate) fn take_snapshot(&mut self) {
        self.with_recorder(|recorder, guest| {
            if guest.is_complete() {
                recorder.snapshot(INSTANCE, guest, false);
            }
        });
    }

    /// Hands on what has been recorded so far.
    pub(crate) fn flush(&mut self) {
        self.with_recorder(|recorder, _| recorder.flush());
    }

    fn with_recorder(
        &mut self,
        work: impl FnOnce(&mut Recorder, &mut Lent<'_, &mut Store<State>>),
    ) {
        Recording::with(&mut self.store, recording, |live, store| {
            live.with_instance(INSTANCE, store, work);
        });
    }

    /// Ends the recording.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] when the recording could not be written.
    pub(crate) fn finish(mut self) -> Result<Outcome> {
        let exit = match self.ended() {
            None => Exit::Code(0),
            Some(Ended::Exit(code)) => Exit::Code(*code),
            Some(Ended::Trap(message)) => Exit::Trap(message.clone()),
        };
        if self.ended().is_none() {
            self.take_snapshot();
            self.with_recorder(|recorder, _| recorder.exited(0));
        }
        let (stdout, stderr) = match &self.output {
            Some((stdout, stderr)) => (stdout.contents().to_vec(), stderr.contents().to_vec()),
            None => Default::default(),
        };
        self.store.data_mut().recording.finish()?;
        Ok(Outcome { trace: Trace::default(), exit, stdout, stderr, kept: Ok(()) })
    }

    fn ended(&self) -> Option<&Ended> {
        self.store.data().ended.as_ref()
    }

    /// How the program ended, in words, if it has.
    pub(crate) fn ended_text(&self) -> Option<String> {
        self.ended().map(ToString::to_string)
    }

    /// An exported function, by its name.
    pub(crate) fn export(&mut self, name: &str) -> Option<Func> {
        self.store.data().instance?.get_func(&mut self.store, name)
    }

    /// The function that executes `memory.size` in the module.
    pub(crate) fn size_function(&mut self) -> Option<Func> {
        self.export(SIZE_EXPORT)
    }

    /// That there is no function of this name, and which there are.
    pub(crate) fn no_such_function(&mut self, name: &str) -> Error {
        let exports = self.store.data().instance.map(|instance| {
            let all: Vec<_> = instance.exports(&mut self.store).collect();
            let functions = all.into_iter().filter_map(|export| {
                let name = export.name().to_owned();
                export.into_func().map(|_| name)
            });
            functions.filter(|name| !is_added_export(name)).collect::<Vec<_>>().join("`, `")
        });
        let others = match exports.unwrap_or_default() {
            none if none.is_empty() => "it exports none".to_owned(),
            names => format!("it exports `{names}`"),
        };
        let message = format!("the module exports no function `{name}`; {others}");
        Error::new(ErrorKind::InvalidRequest, message)
    }
}

/// Where the store keeps the recording.
pub(crate) fn recording(state: &mut State) -> &mut Recording {
    &mut state.recording
}

fn param_list(ty: &FuncType) -> String {
    let params: Vec<String> = ty.params().map(|param| param.to_string()).collect();
    format!("({})", params.join(", "))
}
