//! The same programs in plain wasmtime: the unchanged module, no linmem anywhere.

use linmem_wasmtime::Exit;
use wasmtime::{Engine, Linker, Module, ResourceLimiter, Store, Trap};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use super::{PROGRAM_NAME, Program, root};

/// What a program did in plain wasmtime.
#[derive(Debug)]
pub struct Plain {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote to stdout.
    pub stdout: Vec<u8>,
    /// How its memory grew.
    pub memory: Growths,
}

/// What the engine was asked for: a witness that has nothing to do with instrumented code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Growths {
    /// Pages at the end.
    pub pages: u64,
    /// Growths that succeeded.
    pub granted: u64,
    /// Growths that were refused.
    pub refused: u64,
}

struct State {
    wasi: WasiP1Ctx,
    max_pages: Option<u64>,
    started: bool,
    memory: Growths,
}

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        const PAGE_BYTES: usize = 65_536;
        // The engine asks for the initial pages, too.
        if !std::mem::replace(&mut self.started, true) {
            self.memory.pages = (desired / PAGE_BYTES) as u64;
            return Ok(true);
        }
        if desired == current {
            return Ok(true);
        }
        let pages = (desired / PAGE_BYTES) as u64;
        let declared = maximum.is_none_or(|maximum| desired <= maximum);
        let granted = declared && self.max_pages.is_none_or(|max| pages <= max);
        if granted {
            self.memory.granted += 1;
            self.memory.pages = pages;
        } else {
            self.memory.refused += 1;
        }
        Ok(granted)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

/// Runs a program's `_start`.
pub fn run(program: Program<'_>) -> Plain {
    let engine = Engine::default();
    let module = Module::new(&engine, program.wasm).expect("the engine takes the module");
    let stdout = MemoryOutputPipe::new(usize::MAX);
    let mut wasi = WasiCtxBuilder::new();
    wasi.allow_blocking_current_thread(true)
        .arg(PROGRAM_NAME)
        .args(program.args)
        .stdin(MemoryInputPipe::new(program.stdin.to_vec()))
        .stdout(stdout.clone());
    if let Some(dir) = program.dir {
        wasi.preopened_dir(root().join(dir), dir, FsPerms::ReadWrite).expect("the directory opens");
    }
    let state = State {
        wasi: wasi.build_p1(),
        max_pages: program.max_pages,
        started: false,
        memory: Growths::default(),
    };
    let mut store = Store::new(&engine, state);
    store.limiter(|state| state);
    let mut linker = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |state: &mut State| &mut state.wasi).expect("WASI links");
    let instance = linker.instantiate(&mut store, &module).expect("the module starts");
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start").expect("a command");
    let exit = match start.call(&mut store, ()) {
        Ok(()) => Exit::Code(0),
        Err(error) => match (error.downcast_ref::<I32Exit>(), error.downcast_ref::<Trap>()) {
            (Some(exit), _) => Exit::Code(exit.0),
            (_, Some(trap)) => Exit::Trap(trap.to_string()),
            _ => panic!("{error:?}"),
        },
    };
    Plain { exit, stdout: stdout.contents().to_vec(), memory: store.data().memory }
}
