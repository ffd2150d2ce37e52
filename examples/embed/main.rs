//! A host of plugins, with an engine, a linker and host functions of its own. Three lines let linmem watch
//! what its plugins do with their memory; they are marked.
//!
//! ```sh
//! cargo run --release -p linmem-wasmtime --example embed
//! ```

use linmem::Report;
use linmem_wasmtime::{Recording, Watched};
use wasmtime::{Caller, Engine, Linker, Result, Store};

/// What the host keeps for a plugin.
#[derive(Default)]
pub struct Plugin {
    /// What it printed.
    pub printed: String,
    linmem: Recording,
}

/// The name that the host gives out.
const USER: &[u8] = b"Ada\0";

/// Greets a few times, and tells what the plugin printed and what linmem says.
pub fn greet(engine: &Engine, wasm: &[u8], times: usize) -> Result<(Plugin, Report)> {
    let watched = Watched::new(engine, wasm)?; // 1
    let mut linker = host_functions(engine)?;
    watched.add_to_linker(&mut linker, |plugin: &mut Plugin| &mut plugin.linmem)?; // 2
    let mut store = Store::new(engine, Plugin::default());
    let instance = linker.instantiate(&mut store, watched.module())?;
    let greet = instance.get_typed_func::<(), ()>(&mut store, "greet")?;
    for _ in 0..times {
        greet.call(&mut store, ())?;
    }
    let report = Recording::report(&mut store, |plugin| &mut plugin.linmem)?; // 3
    Ok((store.into_data(), report))
}

fn host_functions(engine: &Engine) -> Result<Linker<Plugin>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "user_name", user_name)?;
    linker.func_wrap("host", "print", print)?;
    Ok(linker)
}

/// Gives the plugin a text, in memory that it allocates for it. The plugin frees it.
fn user_name(mut caller: Caller<'_, Plugin>) -> Result<u32> {
    let malloc = caller.get_export("malloc").and_then(|export| export.into_func());
    let malloc = malloc.expect("plugins export malloc").typed::<u32, u32>(&caller)?;
    let text = malloc.call(&mut caller, USER.len() as u32)?;
    let memory = caller.get_export("memory").and_then(|export| export.into_memory());
    memory.expect("plugins export memory").write(&mut caller, text as usize, USER)?;
    Ok(text)
}

/// Prints a text that ends with a NUL.
fn print(mut caller: Caller<'_, Plugin>, text: u32) {
    let memory = caller.get_export("memory").and_then(|export| export.into_memory());
    let memory = memory.expect("plugins export memory").data(&caller);
    let text = memory[text as usize..].iter().take_while(|byte| **byte != 0);
    let text: Vec<u8> = text.copied().collect();
    caller.data_mut().printed.push_str(&format!("Hello, {}!\n", String::from_utf8_lossy(&text)));
}

#[allow(dead_code, reason = "the test of this example calls `greet`")]
fn main() -> Result<()> {
    let engine = Engine::default();
    for (name, plugin) in
        [("leaky", include_str!("leaky.wat")), ("healthy", include_str!("healthy.wat"))]
    {
        let wasm = wat::parse_str(plugin).expect("a valid module");
        let (plugin, report) = greet(&engine, &wasm, 3)?;
        println!("{name}:\n{}{report}", plugin.printed);
    }
    Ok(())
}
