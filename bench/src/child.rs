//! What this program does when it has started itself: run one guest, alone or under observation,
//! and say on stderr how long the guest's own code took.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use linmem::instrument::Elision;
use linmem::trace::{Buffer, Event, Record};
use linmem::{Mode, Trace};
use wasmtime::{Config, Engine, Linker, Module, Store};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use crate::process;
use crate::timing::cpu_timed;

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The module as it is, in an engine set up like linmem's.
    Plain,
    /// The module as `linmem run` runs it, but recorded in memory, and analysed afterwards.
    Observed,
    /// The same as `linmem check` runs it.
    Checked,
    /// The same, but no check is left out.
    CheckedInFull,
    /// The same, but only checks of this kind are left out.
    CheckedBut(Elision),
}

impl Role {
    /// The role that an argument names.
    pub fn from_name(name: &str) -> Option<Role> {
        let all = [Role::Plain, Role::Observed, Role::Checked, Role::CheckedInFull];
        let each = Elision::ALL.map(Role::CheckedBut);
        all.into_iter().chain(each).find(|role| role.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Role::Plain => "plain",
            Role::Observed => "observed",
            Role::Checked => "checked",
            Role::CheckedInFull => "checked-in-full",
            Role::CheckedBut(Elision::Frame) => "checked-but-frames",
            Role::CheckedBut(Elision::Static) => "checked-but-statics",
            Role::CheckedBut(Elision::Repeated) => "checked-but-repeats",
            Role::CheckedBut(_) => "checked-but-ranges",
        }
    }
}

/// A guest program with all that it is run with.
pub struct Guest {
    /// The module.
    pub file: PathBuf,
    /// The directory that the guest sees as `/`.
    pub root: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

/// What a child measured.
#[derive(Default)]
pub struct Measured {
    /// CPU time from the call of `_start` to its return; one thread does all the work.
    pub guest_time: Duration,
    /// Events recorded.
    pub events: u64,
    /// Distinct call stacks told apart.
    pub contexts: u64,
    /// Bytes of the trace without the module that it carries.
    pub trace_bytes: u64,
}

impl Guest {
    /// The command that makes this program run the guest.
    pub fn command(&self, bench: &Path, role: Role) -> Command {
        let mut command = Command::new(bench);
        command.arg(role.name()).arg(&self.file).arg(&self.root).args(&self.args);
        command
    }

    /// The command that runs the guest under observation as users do.
    pub fn linmem_command(&self, linmem: &Path, options: &[&OsStr]) -> Command {
        let mut command = Command::new(linmem);
        command
            .args(["run", "--quiet", "--no-cache", "--dir"])
            .arg(format!("{}::/", self.root.display()));
        command.args(options).arg(&self.file).arg("--").args(&self.args);
        command
    }

    /// Runs the guest in a process of its own.
    pub fn measure(&self, bench: &Path, role: Role) -> Result<(process::Ended, Measured)> {
        let ended = process::run(&mut self.command(bench, role))?;
        let measured = Measured::parse(&ended.stderr)?;
        Ok((ended, measured))
    }

    fn from_args(args: &[String]) -> Result<Guest> {
        let [file, root, args @ ..] = args else { bail!("usage: ROLE FILE ROOT ARGS...") };
        Ok(Guest { file: file.into(), root: root.into(), args: args.to_vec() })
    }

    fn name(&self) -> String {
        self.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

const PREFIX: &str = "linmem-bench:";

impl Measured {
    fn print(&self) {
        let nanos = self.guest_time.as_nanos();
        let Measured { events, contexts, trace_bytes, .. } = self;
        eprintln!("\n{PREFIX} {nanos} {events} {contexts} {trace_bytes}");
    }

    fn parse(stderr: &str) -> Result<Measured> {
        let line = stderr.lines().rev().find_map(|line| line.strip_prefix(PREFIX));
        let numbers = line.and_then(|line| {
            line.split_whitespace().map(|word| word.parse().ok()).collect::<Option<Vec<u64>>>()
        });
        match numbers.as_deref() {
            Some(&[nanos, events, contexts, trace_bytes]) => {
                let guest_time = Duration::from_nanos(nanos);
                Ok(Measured { guest_time, events, contexts, trace_bytes })
            }
            _ => Err(anyhow!("a child measured nothing: {stderr}")),
        }
    }
}

/// Runs a guest, and says what was measured.
pub fn main(role: Role, args: &[String]) -> Result<()> {
    let guest = Guest::from_args(args)?;
    let wasm = fs::read(&guest.file).with_context(|| guest.file.display().to_string())?;
    let measured = match role {
        Role::Plain => run_plain(&guest, &wasm).map_err(|error| anyhow!("{error:#}"))?,
        Role::Observed => run_observed(&guest, &wasm, Mode::default())?,
        Role::Checked | Role::CheckedInFull | Role::CheckedBut(_) => {
            let mode = Mode::check(None);
            let mode = match role {
                Role::CheckedInFull => mode.with_elisions(&[]),
                Role::CheckedBut(kind) => mode.with_elisions(&[kind]),
                _ => mode,
            };
            run_observed(&guest, &wasm, mode)?
        }
    };
    measured.print();
    Ok(())
}

fn run_plain(guest: &Guest, wasm: &[u8]) -> wasmtime::Result<Measured> {
    let engine = engine()?;
    let module = Module::new(&engine, wasm)?;
    let mut linker = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |wasi: &mut WasiP1Ctx| wasi)?;
    let mut wasi = WasiCtxBuilder::new();
    wasi.allow_blocking_current_thread(true).inherit_stdio();
    wasi.arg(guest.name()).args(&guest.args);
    wasi.preopened_dir(&guest.root, "/", FsPerms::ReadWrite)?;
    let mut store = Store::new(&engine, wasi.build_p1());
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    let (result, guest_time) = cpu_timed(|| start.call(&mut store, ()));
    match result {
        Err(error) if error.downcast_ref::<I32Exit>().is_none_or(|exit| exit.0 != 0) => Err(error),
        _ => Ok(Measured { guest_time, ..Measured::default() }),
    }
}

/// An engine like the one of `linmem run`.
fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(100));
    Engine::new(&config)
}

fn run_observed(guest: &Guest, wasm: &[u8], mode: Mode) -> Result<Measured> {
    let run = linmem_wasmtime::Run::new(wasm)?.mode(mode);
    let run = run.name(&guest.name()).args(&guest.args).inherit_stdio().dir(&guest.root, "/")?;
    let buffer = Buffer::default();
    let mut session = run.start_into(buffer.clone())?;
    let (result, guest_time) = cpu_timed(|| session.call("_start", &[]));
    result?;
    session.finish()?;
    let trace = Trace::from_bytes(buffer.take());

    let bytes = trace.as_bytes().len() - wasm.len();
    let mut measured = Measured { guest_time, trace_bytes: bytes as u64, ..Measured::default() };
    for record in trace.records() {
        match record? {
            Record::Event(Event::Called { .. } | Event::Crossed { .. }) => {}
            Record::Event(_) => measured.events += 1,
            Record::Context { .. } => measured.contexts += 1,
            // The memory at the end belongs to the run, not to its events.
            Record::SnapshotBytes { bytes, .. } => measured.trace_bytes -= bytes.len() as u64,
            _ => {}
        }
    }
    Ok(measured)
}
