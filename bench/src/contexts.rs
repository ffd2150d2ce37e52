//! How often a context stands for the stack that is reported for it: instrumented programs in a
//! host that takes a backtrace at every event, where linmem takes one for each new context.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;

use anyhow::{Context, Result, anyhow};
use linmem::instrument::HOOK_MODULE;
use linmem::{Mode, Prepared};
use wasmtime::{AsContext, Caller, Config, Engine, Linker, Store, Val, WasmBacktrace};
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};

use crate::Setup;
use crate::table::Table;

/// Programs, with arguments that keep them short.
const RUNS: &[(&str, &str, &[&str])] = &[
    ("SQLite, 5,000 rows", "sqlite.wasm", &["5000"]),
    ("QuickJS without its arena", "qjs-noarena.wasm", &["/objects.js", "5"]),
    ("hash_map", "hash_map.wasm", &["100"]),
    ("string_build", "string_build.wasm", &["1"]),
    ("binary_trees, depth 9", "binary_trees.wasm", &["9"]),
    ("recursion, 1 descent", "recursion.wasm", &["1"]),
];

/// The hooks whose last parameters are the halves of a context, and the instance.
const WITH_CONTEXT: [&str; 4] = ["allocated", "freed", "reallocating", "grown"];

/// Innermost frames that must agree for a stack to lead to the right place. The allocator function
/// and a program's own wrappers of it are among them.
const NEAR: usize = 6;

/// Measures each program once; the results do not depend on the machine.
pub fn measure(setup: &Setup) -> Result<Table> {
    eprintln!("contexts ...");
    let mut rows = Vec::new();
    for (title, file, args) in RUNS {
        let wasm = std::fs::read(setup.guest(file)?)?;
        let seen = run(setup, &wasm, args).with_context(|| (*title).to_owned())?;
        rows.push(seen.row(title));
    }
    Ok(Table {
        title: "Contexts",
        note: format!(
            "Contexts that linmem tells apart against the real call stacks of all events, as \
             they are and *folded*: of the frames of one function only the innermost is kept, \
             for linmem folds recursion on purpose. *Right* is the share of events whose context \
             is reported with their own folded stack, *near* with one whose innermost {NEAR} \
             frames are theirs."
        ),
        columns: vec!["program", "events", "contexts", "stacks", "folded stacks", "right", "near"],
        rows,
        met: true,
    })
}

/// Function and offset in it, of a frame.
type Frame = (u32, Option<usize>);

/// What the host has seen.
#[derive(Default)]
struct Seen {
    events: u64,
    stacks: HashSet<u64>,
    folded_stacks: HashSet<u64>,
    /// The first stack of each context, folded: all of it, and its innermost frames.
    reported: HashMap<u64, (u64, u64)>,
    right: u64,
    near: u64,
}

impl Seen {
    fn event(&mut self, context: u64, frames: &[Frame]) {
        let folded = fold(frames);
        let (stack, near) = (hash(&folded), hash(&folded[..folded.len().min(NEAR)]));
        let reported = *self.reported.entry(context).or_insert((stack, near));
        self.events += 1;
        self.stacks.insert(hash(frames));
        self.folded_stacks.insert(stack);
        self.right += u64::from(reported.0 == stack);
        self.near += u64::from(reported.1 == near);
    }

    fn row(&self, title: &str) -> Vec<String> {
        let share = |part: u64| format!("{:.1}%", 100.0 * part as f64 / self.events as f64);
        vec![
            title.to_owned(),
            self.events.to_string(),
            self.reported.len().to_string(),
            self.stacks.len().to_string(),
            self.folded_stacks.len().to_string(),
            share(self.right),
            share(self.near),
        ]
    }
}

/// The stack without what recursion adds to it: the innermost frame of each function.
fn fold(frames: &[Frame]) -> Vec<Frame> {
    let mut functions = HashSet::new();
    frames.iter().copied().filter(|(function, _)| functions.insert(*function)).collect()
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

struct State {
    wasi: WasiP1Ctx,
    seen: Seen,
}

fn run(setup: &Setup, wasm: &[u8], args: &[&str]) -> Result<Seen> {
    let prepared = Prepared::new(wasm, &Vec::new(), None)?;
    let instrumented = prepared.instrument(&Mode::default())?.wasm;
    run_instrumented(setup, &instrumented, args).map_err(|error| anyhow!("{error:#}"))
}

fn run_instrumented(setup: &Setup, wasm: &[u8], args: &[&str]) -> wasmtime::Result<Seen> {
    let mut config = Config::new();
    config.wasm_backtrace_max_frames(NonZeroUsize::new(10_000));
    let engine = Engine::new(&config)?;
    let module = wasmtime::Module::new(&engine, wasm)?;
    let mut linker = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |state: &mut State| &mut state.wasi)?;
    define_hooks(&module, &mut linker)?;
    let mut wasi = WasiCtxBuilder::new();
    wasi.allow_blocking_current_thread(true).arg("guest").args(args);
    wasi.preopened_dir(setup.guest_root(), "/", FsPerms::ReadWrite)?;
    let state = State { wasi: wasi.build_p1(), seen: Seen::default() };
    let mut store = Store::new(&engine, state);
    let instance = linker.instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())?;
    Ok(store.into_data().seen)
}

fn define_hooks(module: &wasmtime::Module, linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for import in module.imports().filter(|import| import.module() == HOOK_MODULE) {
        let ty = import.ty().unwrap_func().clone();
        let has_context = WITH_CONTEXT.contains(&import.name());
        linker.func_new(HOOK_MODULE, import.name(), ty, move |mut caller, params, level| {
            if let (true, [.., low, high, _]) = (has_context, params) {
                record(&mut caller, low, high);
            }
            // Only `entered` returns something: the level that it was told.
            level.iter_mut().for_each(|level| *level = params[1]);
            Ok(())
        })?;
    }
    Ok(())
}

fn record(caller: &mut Caller<'_, State>, low: &Val, high: &Val) {
    let half = |value: &Val| u64::from(value.i32().unwrap_or_default() as u32);
    let context = half(low) | half(high) << 32;
    let backtrace = WasmBacktrace::force_capture(caller.as_context());
    let frames: Vec<Frame> =
        backtrace.frames().iter().map(|f| (f.func_index(), f.module_offset())).collect();
    caller.data_mut().seen.event(context, &frames);
}
