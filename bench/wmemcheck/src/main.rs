//! Runs a WASI program in wasmtime 45, with or without its wmemcheck, and prints the CPU time of `_start` in nanoseconds.
//!
//! usage: linmem-bench-wmemcheck plain|wmemcheck MODULE DIRECTORY [ARGUMENTS...]

use std::time::Duration;

use wasmtime::{Config, Engine, Linker, Module, Result, Store};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{DirPerms, FilePerms, I32Exit, WasiCtxBuilder};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [way, file, directory, rest @ ..] = &arguments[..] else {
        return Err(wasmtime::Error::msg("usage: plain|wmemcheck MODULE DIRECTORY [ARGUMENTS...]"));
    };
    let mut config = Config::new();
    config.wmemcheck(way == "wmemcheck");
    let engine = Engine::new(&config)?;
    let module = Module::from_file(&engine, file)?;
    let mut linker = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |wasi: &mut WasiP1Ctx| wasi)?;
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio().arg(file).args(rest);
    wasi.preopened_dir(directory, "/", DirPerms::all(), FilePerms::all())?;
    let mut store = Store::new(&engine, wasi.build_p1());
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    let before = cpu_time();
    let result = start.call(&mut store, ());
    eprintln!("{}", (cpu_time() - before).as_nanos());
    match result {
        Err(error) if error.downcast_ref::<I32Exit>().is_none_or(|exit| exit.0 != 0) => Err(error),
        _ => Ok(()),
    }
}

/// Of this thread, as Linux tells it.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0))
}
