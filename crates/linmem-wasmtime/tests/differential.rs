//! Modules that nobody would write, run as they are and instrumented: every call, every byte of
//! memory and every global must come out the same. Two instances share what the module imports, and the host
//! also calls what it finds in tables.
//!
//! The fuzz target `differential` runs the same comparison on inputs of its own choice.

pub mod side_by_side;

use std::hash::Hasher;

use arbitrary::Unstructured;
use linmem::allocator::Hints;
use linmem::instrument::Instrumented;
use linmem::instrument::{HOOK_MODULE, is_added_export};
use linmem::trace::Frame;
use rustc_hash::FxHasher;
use side_by_side::binary::Binary;
use side_by_side::{Ending, Host, Value};
use wasm_smith::{Config, MemoryOffsetChoices};
use wasmparser::FunctionBody;
use wasmtime::{
    Engine, Extern, ExternType, Func, FuncType, Instance, Linker, Module, Ref, Store, Val, ValType,
};

/// Loop iterations and function entries after which a generated module traps.
const FUEL: u32 = 1_000;

/// How a module is instrumented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hooking {
    /// What its names say.
    Names,
    /// Every function whose type allows it.
    Everything,
    /// Some of these functions, chosen by this number.
    Some(u64),
    /// What its names say, which is nothing, and its accesses are checked.
    Checks,
}

/// What was compared.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// Modules, each in several ways.
    pub modules: u64,
    /// Twins that differ from their original in their bytes.
    pub rewritten: u64,
    /// Twins whose accesses are checked.
    pub checked: u64,
    /// Calls that returned.
    pub returned: u64,
    /// Calls and instantiations that trapped or threw.
    pub trapped: u64,
    /// Calls of functions that the host found in tables.
    pub in_tables: u64,
    /// Calls of linmem's hooks.
    pub hook_calls: u64,
    /// Instructions whose way back to the original was followed.
    pub offsets: u64,
    /// Instances that used up their stack, of which twins need more; not compared.
    pub exhausted: u64,
}

/// Generates a module from `bytes` and compares it with its instrumented twins.
///
/// # Errors
///
/// When the bytes do not suffice for a module.
pub fn compare(engine: &Engine, bytes: &[u8], tally: &mut Tally) -> arbitrary::Result<()> {
    let mut input = Unstructured::new(bytes);
    let choice: u64 = input.arbitrary()?;
    let mut generated = wasm_smith::Module::new(config(&mut input)?, &mut input)?;
    generated.ensure_termination(FUEL).expect("there are no foreign function bodies");
    let wasm = generated.to_bytes();
    let Ok(module) = Module::new(engine, &wasm) else {
        // A proposal that the engine lacks; linmem must still cope.
        let _ = side_by_side::instrument(&wasm, side_by_side::hook_everything);
        return Ok(());
    };
    tally.modules += 1;
    let original = Played::of(engine, &module, choice);
    for hooking in [Hooking::Names, Hooking::Everything, Hooking::Some(choice), Hooking::Checks] {
        let twin = match hooking {
            Hooking::Checks => {
                side_by_side::check(&wasm).expect("a module that the engine accepts")
            }
            _ => Some(
                side_by_side::instrument(&wasm, |module| hooking.hints(module))
                    .expect("a module that the engine accepts"),
            ),
        };
        let Some(twin) = twin else { continue };
        tally.checked += u64::from(hooking == Hooking::Checks);
        check_offsets(&wasm, &twin, tally);
        if twin.wasm == wasm {
            continue;
        }
        tally.rewritten += 1;
        let module = Module::new(engine, &twin.wasm).expect("the engine accepts what is valid");
        Played::of(engine, &module, choice).assert_is(&original, hooking, tally);
    }
    Ok(())
}

impl Hooking {
    fn hints(self, wasm: &[u8]) -> Hints {
        match self {
            Hooking::Names | Hooking::Checks => Hints::new(),
            Hooking::Everything => side_by_side::hook_everything(wasm),
            Hooking::Some(choice) => {
                let mut bits = Bits(choice);
                let mut hints = side_by_side::hook_everything(wasm);
                hints.retain(|_| bits.next().is_multiple_of(3));
                hints
            }
        }
    }
}

/// What modules are made of: all that the engine implements but threads, which could wait for
/// each other forever.
fn config(input: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    let config = Config {
        custom_page_sizes_enabled: true,
        disallow_traps: input.arbitrary()?,
        generate_custom_sections: input.arbitrary()?,
        max_funcs: 24,
        max_globals: 16,
        max_imports: 12,
        max_instructions: 160,
        max_memory32_bytes: 1 << 20,
        max_memory64_bytes: 1 << 20,
        max_table_elements: 100,
        max_tables: 3,
        max_types: 24,
        memory_max_size_required: true,
        memory_offset_choices: MemoryOffsetChoices(90, 9, 1),
        min_funcs: 4,
        min_types: 4,
        table_max_size_required: true,
        threads_enabled: false,
        wide_arithmetic_enabled: true,
        ..Config::default()
    };
    Ok(if input.arbitrary()? {
        Config { export_everything: true, min_memories: 1, max_memories: 3, ..config }
    } else {
        Config { exports: Some(allocator_shape(input.arbitrary()?)), max_memories: 0, ..config }
    })
}

/// Exports under an allocator's names and with its types. What they do is up to the generator,
/// and has nothing to do with their names.
fn allocator_shape(is_64: bool) -> Vec<u8> {
    let (address, index) = if is_64 { ("i64", "i64") } else { ("i32", "") };
    let function = |name: &str, params: usize, result: &str| {
        let params = vec![address; params].join(" ");
        let result = if result.is_empty() { String::new() } else { format!("(result {result})") };
        format!("(func (export {name:?}) (param {params}) {result} unreachable)")
    };
    let functions = [
        function("malloc", 1, address),
        function("calloc", 2, address),
        function("realloc", 2, address),
        function("free", 1, ""),
        function("posix_memalign", 3, "i32"),
        function("__rust_alloc", 2, address),
        function("__rust_dealloc", 3, ""),
        function("__rust_realloc", 4, address),
        function("work", 1, "f64"),
        function("more_work", 2, "v128"),
    ];
    let text = format!(
        "(module
            (memory (export \"memory\") {index} 1 16)
            (table (export \"table\") 8 16 funcref)
            (global (export \"total\") (mut i64) (i64.const 0))
            {})",
        functions.concat()
    );
    wat::parse_str(text).expect("a module of this shape")
}

/// What a module did and what it left behind.
struct Played {
    sessions: Vec<Session>,
    hook_calls: u64,
}

/// What two instances did.
#[derive(Debug, PartialEq, Eq)]
struct Session {
    /// Of the instantiation if it failed, else of each call.
    endings: Vec<(String, Ending)>,
    /// What the exports hold at the end.
    left: Vec<(String, Left)>,
    /// Calls of imports.
    imports: Vec<(String, Vec<Value>)>,
}

/// An export's state after all calls.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    Function { params: usize, results: usize },
    Global(Value),
    Memory { pages: u64, hash: u64 },
    Table(Vec<Value>),
    Other,
}

impl Played {
    /// Runs two instances for each exported function, since one that loops leaves no fuel.
    fn of(engine: &Engine, module: &Module, choice: u64) -> Played {
        let mut played = Played { sessions: Vec::new(), hook_calls: 0 };
        let exports = module
            .exports()
            .filter(|export| export.ty().func().is_some() && !is_added_export(export.name()));
        for first in 0..exports.count().max(1) {
            let mut store = side_by_side::store(engine);
            let (endings, left) = match instantiate_twice(&mut store, module) {
                Ok(instances) => play(&mut store, &instances, first, choice),
                Err(error) => {
                    let ending = Ending::of_error(&mut store, &error);
                    (vec![("instantiation".to_owned(), ending)], Vec::new())
                }
            };
            let host = store.into_data();
            played.hook_calls += host.hook_calls;
            played.sessions.push(Session { endings, left, imports: host.import_calls });
        }
        played
    }

    /// Compares a twin with its original.
    fn assert_is(&self, original: &Played, hooking: Hooking, tally: &mut Tally) {
        tally.hook_calls += self.hook_calls;
        assert_eq!(original.sessions.len(), self.sessions.len());
        for (original, twin) in original.sessions.iter().zip(&self.sessions) {
            if original.is_exhausted() || twin.is_exhausted() {
                tally.exhausted += 1;
                continue;
            }
            assert_eq!(original, twin, "the original (left) against {hooking:?}");
            let returned = twin.endings.iter().filter(|(_, e)| matches!(e, Ending::Returned(_)));
            let returned = returned.count() as u64;
            tally.returned += returned;
            tally.trapped += twin.endings.len() as u64 - returned;
            tally.in_tables +=
                twin.endings.iter().filter(|(name, _)| name.ends_with(']')).count() as u64;
        }
    }
}

impl Session {
    fn is_exhausted(&self) -> bool {
        self.endings.iter().any(|(_, ending)| ending.is_exhaustion())
    }
}

/// What belongs to each of some exports.
type Named<T> = Vec<(String, T)>;

/// Functions of each kind that are called.
const CALLS: usize = 3;

/// Calls some functions that each instance exports, and some in the tables that it exports, and looks at all
/// exports.
fn play(
    store: &mut Store<Host>,
    instances: &[Instance],
    first: usize,
    choice: u64,
) -> (Named<Ending>, Named<Left>) {
    let mut bits = Bits(choice ^ first as u64);
    let (mut endings, mut left) = (Vec::new(), Vec::new());
    for instance in instances {
        let exports = exports(store, instance);
        let exported = exports.iter().filter_map(|(name, export)| match export {
            Extern::Func(function) => Some((name.clone(), *function)),
            _ => None,
        });
        let exported: Vec<_> = exported.collect();
        let in_tables = in_tables(store, &exports);
        let some = |functions: Named<Func>| {
            let count = functions.len().min(CALLS);
            functions.into_iter().cycle().skip(first).take(count)
        };
        for (name, function) in some(exported).chain(some(in_tables)) {
            let ending = match args(store, &function, &mut bits) {
                Some(args) => side_by_side::call(store, &function, &args),
                None => Ending::Refused("a parameter has no default".to_owned()),
            };
            endings.push((name, ending));
        }
    }
    for instance in instances {
        let exports = exports(store, instance);
        left.extend(exports.into_iter().map(|(name, export)| (name, Left::of(store, &export))));
    }
    (endings, left)
}

/// The functions in exported tables.
fn in_tables(store: &mut Store<Host>, exports: &Named<Extern>) -> Named<Func> {
    let mut functions = Vec::new();
    for (name, export) in exports {
        let Extern::Table(table) = export else { continue };
        for index in 0..table.size(&*store) {
            if let Some(Ref::Func(Some(function))) = table.get(&mut *store, index) {
                functions.push((format!("{name}[{index}]"), function));
            }
        }
    }
    functions
}

/// Both get the same imports.
fn instantiate_twice(store: &mut Store<Host>, module: &Module) -> wasmtime::Result<[Instance; 2]> {
    let mut linker = Linker::new(module.engine());
    linker.allow_shadowing(true);
    side_by_side::define_hooks(&mut linker, module);
    for import in module.imports().filter(|i| i.module() != HOOK_MODULE) {
        if let ExternType::Func(ty) = import.ty() {
            define_noting(&mut linker, import.module(), import.name(), &ty)?;
        }
    }
    linker.define_unknown_imports_as_default_values(&mut *store, module)?;
    Ok([linker.instantiate(&mut *store, module)?, linker.instantiate(store, module)?])
}

/// An import that notes its arguments and returns zeros.
fn define_noting(
    linker: &mut Linker<Host>,
    module: &str,
    name: &str,
    ty: &FuncType,
) -> wasmtime::Result<()> {
    let results: Option<Vec<Val>> = ty.results().map(|ty| Val::default_for_ty(&ty)).collect();
    let noted = name.to_owned();
    linker.func_new(module, name, ty.clone(), move |mut caller, args, out| {
        let args = args.iter().map(Value::of_simple).collect();
        caller.data_mut().import_calls.push((noted.clone(), args));
        match &results {
            Some(results) => out.clone_from_slice(results),
            None => wasmtime::bail!("an import cannot make up a result"),
        }
        Ok(())
    })?;
    Ok(())
}

fn exports(store: &mut Store<Host>, instance: &Instance) -> Vec<(String, Extern)> {
    let exports = instance.exports(store).filter(|export| !is_added_export(export.name()));
    exports.map(|export| (export.name().to_owned(), export.into_extern())).collect()
}

/// Arguments that are the same for the original and its twins; `None` if there are none.
fn args(store: &mut Store<Host>, function: &Func, bits: &mut Bits) -> Option<Vec<Val>> {
    let params = function.ty(store).params().collect::<Vec<_>>();
    let mut arg = |ty: &ValType| {
        // Small numbers are addresses, sizes and indices.
        let number = bits.next() >> (bits.next() % 64);
        match ty {
            ValType::I32 => Some(Val::I32(number as i32)),
            ValType::I64 => Some(Val::I64(number as i64)),
            ValType::F32 => Some(Val::F32((number as f32).to_bits())),
            ValType::F64 => Some(Val::F64((number as f64).to_bits())),
            ValType::V128 => Some(Val::V128(u128::from(number).into())),
            ValType::Ref(_) => Val::default_for_ty(ty),
        }
    };
    params.iter().map(&mut arg).collect()
}

impl Left {
    fn of(store: &mut Store<Host>, export: &Extern) -> Left {
        match export {
            Extern::Func(function) => {
                let ty = function.ty(&*store);
                Left::Function { params: ty.params().len(), results: ty.results().len() }
            }
            Extern::Global(global) => {
                let value = global.get(&mut *store);
                Left::Global(Value::new(store, &value))
            }
            Extern::Memory(memory) => {
                let mut hasher = FxHasher::default();
                hasher.write(memory.data(&*store));
                Left::Memory { pages: memory.size(&*store), hash: hasher.finish() }
            }
            Extern::Table(table) => {
                let elements = (0..table.size(&*store)).map(|index| {
                    let element = table.get(&mut *store, index).expect("within the table");
                    Value::new(store, &element.into())
                });
                Left::Table(elements.collect())
            }
            _ => Left::Other,
        }
    }
}

/// Follows the instructions of the twin back to the original: those that were copied must lead
/// to the instructions of the same function, in order, leaving none out.
fn check_offsets(wasm: &[u8], twin: &Instrumented, tally: &mut Tally) {
    let original = Binary::read(wasm).expect("instrumented before");
    let rewritten = Binary::read(&twin.wasm).expect("valid");
    for index in 0..rewritten.functions() {
        let Some(body) = rewritten.body(index) else { continue };
        // A wrapper's frame stands for a function as a whole, and has no offset.
        let frames = twin.map.frames([(index, Some(body.range().end - 1))]);
        let [Frame::Wasm { function: origin, offset: Some(_) }] = frames[..] else { continue };
        let from = original.body(origin).expect("it has a body");
        let mut expected = instructions(wasm, from).peekable();
        for (opcode, offset) in instructions(&twin.wasm, body) {
            let led_to = original_offset(twin, index, offset);
            let found =
                expected.next_if(|(was, at)| Some(*at) == led_to && is_copy_of(opcode, *was));
            tally.offsets += u64::from(found.is_some());
        }
        assert_eq!(expected.next(), None, "function {origin}: nothing leads there");
    }
}

/// The offset in the original of an instruction of the twin.
fn original_offset(twin: &Instrumented, function: u32, offset: usize) -> Option<usize> {
    match twin.map.frames([(function, Some(offset))])[..] {
        [Frame::Wasm { offset: Some(offset), .. }] => Some(offset as usize),
        _ => None,
    }
}

/// The first byte and the offset of each instruction of a body.
fn instructions<'a>(
    wasm: &'a [u8],
    body: &FunctionBody<'a>,
) -> impl Iterator<Item = (u8, usize)> + use<'a> {
    let operators = body.get_operators_reader().expect("valid code").into_iter_with_offsets();
    let offsets = operators.map(|operator| operator.expect("valid code").1);
    offsets.map(|offset| (wasm[offset], offset))
}

fn is_copy_of(opcode: u8, was: u8) -> bool {
    const CALL: u8 = 0x10;
    const MEMORY_GROW: u8 = 0x40;
    opcode == was || (opcode, was) == (CALL, MEMORY_GROW)
}

/// Numbers that look random: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct Bits(u64);

impl Bits {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Modules that the test generates.
#[cfg(test)]
const SEEDS: u64 = 600;

/// Says which module it was when a comparison fails.
#[cfg(test)]
struct Seed(u64);

#[cfg(test)]
impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

#[test]
fn generated_modules_behave_as_their_instrumented_twins() {
    let engine = side_by_side::engine();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let compare_every = &|first: u64| {
        let mut tally = Tally::default();
        for seed in (first..SEEDS).step_by(threads as usize) {
            let _seed = Seed(seed);
            let mut bits = Bits(seed);
            let bytes: Vec<u8> = (0..1024).flat_map(|_| bits.next().to_le_bytes()).collect();
            // Some bytes make no module.
            let _ = compare(&engine, &bytes, &mut tally);
        }
        tally
    };
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|first| scope.spawn(move || compare_every(first))).collect();
        workers.into_iter().map(|worker| worker.join().expect("twins are alike")).collect()
    });
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let (modules, rewritten, checked) =
        (sum(|t| t.modules), sum(|t| t.rewritten), sum(|t| t.checked));
    let (returned, trapped) = (sum(|t| t.returned), sum(|t| t.trapped));
    let (hook_calls, offsets) = (sum(|t| t.hook_calls), sum(|t| t.offsets));
    let (exhausted, in_tables) = (sum(|t| t.exhausted), sum(|t| t.in_tables));
    println!(
        "{SEEDS} seeds: {modules} modules, {rewritten} twins, {checked} with checks; {returned} calls returned and \
         {trapped} trapped alike, {in_tables} out of tables; {exhausted} instances out of stack; {hook_calls} hook calls; \
         {offsets} offsets"
    );
    // A test that compares nothing finds nothing.
    assert!(modules > 550 && rewritten > 1_500 && checked > 100);
    assert!(returned > 12_000 && trapped > 45_000 && hook_calls > 200_000);
    assert!(in_tables > 10_000 && exhausted < 10 && offsets > 3_000_000);
}
