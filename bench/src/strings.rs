//! What a string costs on its way through `linmem-strings`, next to code written by hand and to the
//! strings of wasmtime's components.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use linmem_strings::wasmtime::Strings;
use linmem_strings::{OnNul, Options};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Instance, Memory, Module, Store, TypedFunc};

use crate::Setup;
use crate::table::Table;

/// Lengths in bytes.
const LENGTHS: &[usize] = &[0, 4, 16, 64, 256, 4 << 10, 128 << 10, 8 << 20];

/// How long one measurement takes.
const ONE: Duration = Duration::from_millis(4);

/// Measurements of each side, one side after the other.
const ROUNDS_EACH: u32 = 15;

/// The crate may take this many times what code by hand takes.
const BAR: f64 = 1.05;

/// Measures both directions.
pub fn measure(setup: &Setup) -> Result<Table> {
    eprintln!("strings ...");
    let mut sides = Sides::new().map_err(|error| anyhow!("{error:#}"))?;
    let mut rows = Vec::new();
    let mut met = true;
    for &length in LENGTHS {
        let text = "a".repeat(length);
        sides.put(&text).map_err(|error| anyhow!("{error:#}"))?;
        let rounds = setup.rounds * ROUNDS_EACH;
        let unchecked = interleaved(rounds, &mut sides, &text, [Sides::by_hand, Sides::with_nuls])?;
        let checked = interleaved(
            rounds,
            &mut sides,
            &text,
            [Sides::by_hand_without_nuls, Sides::with, Sides::component],
        )?;
        let out = interleaved(
            rounds,
            &mut sides,
            &text,
            [Sides::read_by_hand, Sides::read, Sides::component_returns],
        )?;
        let all = [unchecked[0], unchecked[1], checked[0], checked[1], out[0], out[1]];
        met &= all.chunks(2).all(|pair| pair[1] <= pair[0] * BAR);
        rows.push(row(length, all, [checked[2], out[2]]));
    }
    Ok(Table {
        title: "Strings, Rust host",
        note: format!(
            "Nanoseconds for one string of ASCII, the shortest of {} measurements, interleaved. *In*: \
             allocate, write, call a function that reads one byte, free; *any* text as it is, or as \
             *C* string, in which a NUL is an error. *Out*: find the NUL, decode, copy into a \
             `String`. *Hand* is code written by hand: `TypedFunc`, and `Memory::write` of the text \
             and its NUL, or of a `CString`; reading is `CStr` and `from_utf8_lossy`. *Comp.* is a \
             function with a `string` in a component with the same code, which does not look for \
             NULs and frees nothing. The bar is {BAR} times what code by hand takes.",
            setup.rounds * ROUNDS_EACH
        ),
        columns: vec![
            "bytes",
            "any in: hand",
            "linmem",
            "ratio",
            "C in: hand",
            "linmem",
            "ratio",
            "out: hand",
            "linmem",
            "ratio",
            "comp. in",
            "comp. out",
        ],
        rows,
        met,
    })
}

fn row(length: usize, pairs: [f64; 6], components: [f64; 2]) -> Vec<String> {
    let mut row = vec![length.to_string()];
    for pair in pairs.chunks(2) {
        row.extend([format!("{:.0}", pair[0]), format!("{:.0}", pair[1])]);
        row.push(format!("{:.2}x", pair[1] / pair[0]));
    }
    row.extend(components.map(|nanos| format!("{nanos:.0}")));
    row
}

type Side = fn(&mut Sides, &str) -> wasmtime::Result<usize>;

/// The shortest time of each side for one string, in nanoseconds.
fn interleaved<const N: usize>(
    rounds: u32,
    sides: &mut Sides,
    text: &str,
    which: [Side; N],
) -> Result<[f64; N]> {
    let mut shortest = [f64::INFINITY; N];
    for _ in 0..rounds {
        for (side, shortest) in which.iter().zip(&mut shortest) {
            let nanos = time(|| side(sides, text)).map_err(|error| anyhow!("{error:#}"))?;
            *shortest = shortest.min(nanos);
        }
    }
    Ok(shortest)
}

/// Nanoseconds that one call takes, from as many as fit into [`ONE`].
fn time(mut call: impl FnMut() -> wasmtime::Result<usize>) -> wasmtime::Result<f64> {
    let mut calls = 1;
    loop {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(call()?);
        }
        let took = start.elapsed();
        if took >= ONE {
            return Ok(took.as_secs_f64() * 1e9 / f64::from(calls));
        }
        calls *= 2;
    }
}

/// All that is compared, in one store each.
struct Sides {
    store: Store<()>,
    memory: Memory,
    malloc: TypedFunc<u32, u32>,
    free: TypedFunc<u32, ()>,
    first: TypedFunc<u32, u32>,
    strings: Strings,
    /// The same, which let NULs pass.
    with_nuls: Strings,
    component_store: Store<()>,
    component_first: wasmtime::component::TypedFunc<(&'static str,), (u32,)>,
    component_text: wasmtime::component::TypedFunc<(u32,), (String,)>,
    /// The text that components get: their functions' types hold its lifetime.
    leaked: &'static str,
}

/// Where the guests have their one block.
const BLOCK: u32 = 1024;

impl Sides {
    fn new() -> wasmtime::Result<Sides> {
        let engine = Engine::new(&Config::new())?;
        let module =
            Module::new(&engine, wat::parse_str(include_str!("strings.wat")).expect("WAT"))?;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        let strings = Strings::new(&mut store, &instance)?;
        let options = Options { on_nul: OnNul::Allow, ..Options::default() };
        let component = Component::new(
            &engine,
            wat::parse_str(include_str!("strings_component.wat")).expect("WAT"),
        )?;
        let mut component_store = Store::new(&engine, ());
        let lifted = Linker::new(&engine).instantiate(&mut component_store, &component)?;
        Ok(Sides {
            memory: instance.get_memory(&mut store, "memory").expect("it is exported"),
            malloc: instance.get_typed_func(&mut store, "malloc")?,
            free: instance.get_typed_func(&mut store, "free")?,
            first: instance.get_typed_func(&mut store, "first")?,
            with_nuls: strings.clone().options(options),
            strings,
            store,
            component_first: lifted.get_typed_func(&mut component_store, "first")?,
            component_text: lifted.get_typed_func(&mut component_store, "text")?,
            component_store,
            leaked: "",
        })
    }

    /// Puts a text where the reading sides find it.
    fn put(&mut self, text: &str) -> wasmtime::Result<()> {
        self.memory.write(&mut self.store, BLOCK as usize, text.as_bytes())?;
        self.memory.write(&mut self.store, BLOCK as usize + text.len(), &[0])?;
        self.leaked = text.to_owned().leak();
        self.component_first.call(&mut self.component_store, (self.leaked,))?;
        Ok(())
    }

    fn by_hand(&mut self, text: &str) -> wasmtime::Result<usize> {
        let pointer = self.malloc.call(&mut self.store, text.len() as u32 + 1)?;
        self.memory.write(&mut self.store, pointer as usize, text.as_bytes())?;
        self.memory.write(&mut self.store, pointer as usize + text.len(), &[0])?;
        let first = self.first.call(&mut self.store, pointer)?;
        self.free.call(&mut self.store, pointer)?;
        Ok(first as usize)
    }

    fn by_hand_without_nuls(&mut self, text: &str) -> wasmtime::Result<usize> {
        let text = std::ffi::CString::new(text)?;
        let bytes = text.as_bytes_with_nul();
        let pointer = self.malloc.call(&mut self.store, bytes.len() as u32)?;
        self.memory.write(&mut self.store, pointer as usize, bytes)?;
        let first = self.first.call(&mut self.store, pointer)?;
        self.free.call(&mut self.store, pointer)?;
        Ok(first as usize)
    }

    fn with_nuls(&mut self, text: &str) -> wasmtime::Result<usize> {
        let first = self
            .with_nuls
            .with(&mut self.store, text, |cx, pointer| self.first.call(cx, pointer))?;
        Ok(first as usize)
    }

    fn with(&mut self, text: &str) -> wasmtime::Result<usize> {
        let first =
            self.strings.with(&mut self.store, text, |cx, pointer| self.first.call(cx, pointer))?;
        Ok(first as usize)
    }

    fn component(&mut self, _: &str) -> wasmtime::Result<usize> {
        let (first,) = self.component_first.call(&mut self.component_store, (self.leaked,))?;
        Ok(first as usize)
    }

    fn read_by_hand(&mut self, _: &str) -> wasmtime::Result<usize> {
        let bytes = &self.memory.data(&self.store)[BLOCK as usize..];
        let text = std::ffi::CStr::from_bytes_until_nul(bytes)?.to_string_lossy().into_owned();
        Ok(black_box(text).len())
    }

    fn read(&mut self, _: &str) -> wasmtime::Result<usize> {
        let text = self.strings.read(&self.store, BLOCK)?.into_owned();
        Ok(black_box(text).len())
    }

    fn component_returns(&mut self, text: &str) -> wasmtime::Result<usize> {
        let (text,) = self.component_text.call(&mut self.component_store, (text.len() as u32,))?;
        Ok(black_box(text).len())
    }
}
