//! An original module beside its instrumented twin, in one engine: what the tests of
//! "instrumented modules behave exactly as the originals" share.

#![allow(dead_code, reason = "each test uses a part")]

pub mod binary;
mod hints;

use linmem::allocator::Hints;
use linmem::instrument::{HOOK_MODULE, Instrumented};
use linmem::{ErrorKind, Mode, Prepared};
use wasmparser::{Validator, WasmFeatures};
use wasmtime::{
    Config, Engine, Func, Linker, OptLevel, Rooted, Store, StoreLimits, StoreLimitsBuilder,
    ThrownException, Trap, Val,
};

pub use hints::hook_everything;

/// What the host of a twin remembers.
pub struct Host {
    /// Calls of linmem's hooks.
    pub hook_calls: u64,
    /// Calls of other imports, with their arguments.
    pub import_calls: Vec<(String, Vec<Value>)>,
    limits: StoreLimits,
}

/// A store for one module or script. No memory in it gets large, garbage-collected ones included.
pub fn store(engine: &Engine) -> Store<Host> {
    let limits = StoreLimitsBuilder::new().memory_size(LARGEST_MEMORY_BYTES).build();
    let host = Host { hook_calls: 0, import_calls: Vec::new(), limits };
    let mut store = Store::new(engine, host);
    store.limiter(|host| &mut host.limits);
    store
}

const LARGEST_MEMORY_BYTES: usize = 64 << 20;

/// An engine with every proposal that it implements, and nothing left to chance: NaNs are
/// canonical and relaxed instructions deterministic.
pub fn engine() -> Engine {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::None)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .shared_memory(true)
        // Many instances live at once; none of them needs gigabytes of address space.
        .memory_reservation(1 << 20)
        .memory_reservation_for_growth(1 << 20)
        .memory_guard_size(1 << 16)
        .wasm_custom_page_sizes(true)
        .wasm_exceptions(true)
        .wasm_extended_const(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_memory64(true)
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(true)
        .wasm_tail_call(true)
        .wasm_threads(true)
        .wasm_wide_arithmetic(true);
    Engine::new(&config).expect("the engine implements these proposals")
}

/// Passes a module through linmem, with what `hints` says about its functions. The result is
/// valid, or this panics.
///
/// # Errors
///
/// As linmem's: when it cannot read the module.
pub fn instrument(wasm: &[u8], hints: impl FnOnce(&[u8]) -> Hints) -> linmem::Result<Instrumented> {
    let instrumented = instrument_in(&Mode::default(), &Prepared::new(wasm, &hints(wasm), None)?)?;
    // What the original needs of an engine is all that its twin needs, except a second table: hosts find the
    // functions there that they can enter.
    for features in [WasmFeatures::WASM1, WasmFeatures::WASM2, WasmFeatures::WASM3] {
        if validate(wasm, features).is_ok() {
            let with_tables = features | WasmFeatures::REFERENCE_TYPES;
            validate(&instrumented.wasm, with_tables).expect("valid in the original's version");
        }
    }
    validate(&instrumented.wasm, WasmFeatures::all()).expect("valid");
    Ok(instrumented)
}

/// The module with its accesses checked, if that can be, and if it has no allocator: of one that is none, freed blocks would
/// not be freed.
pub fn check(wasm: &[u8]) -> linmem::Result<Option<Instrumented>> {
    let prepared = Prepared::new(wasm, &Hints::new(), None)?;
    if prepared.memory().is_none() || !prepared.inspect()?.coverage.hooked.is_empty() {
        return Ok(None);
    }
    let mode = Mode::check(None);
    let instrumented = instrument_in(&mode, &prepared)?;
    validate(&instrumented.wasm, WasmFeatures::all()).expect("valid");
    Ok(Some(instrumented))
}

fn instrument_in(mode: &Mode, prepared: &Prepared<'_>) -> linmem::Result<Instrumented> {
    match prepared.instrument(mode) {
        Ok(instrumented) => Ok(instrumented),
        Err(error) if error.kind() == ErrorKind::Unsupported => Err(error),
        Err(error) => panic!("instrumenting a valid module: {error}"),
    }
}

fn validate(wasm: &[u8], features: WasmFeatures) -> wasmparser::Result<()> {
    Validator::new_with_features(features).validate_all(wasm).map(drop)
}

/// Provides the hooks that an instrumented module imports; they count.
pub fn define_hooks(linker: &mut Linker<Host>, module: &wasmtime::Module) {
    for import in module.imports().filter(|import| import.module() == HOOK_MODULE) {
        let ty = import.ty().func().expect("hooks are functions").clone();
        let count = |mut caller: wasmtime::Caller<'_, Host>, args: &[Val], level: &mut [Val]| {
            caller.data_mut().hook_calls += 1;
            // Only `entered` returns something: the level that it was told.
            level.iter_mut().for_each(|level| *level = args[1]);
            Ok(())
        };
        linker.func_new(HOOK_MODULE, import.name(), ty, count).expect("a hook is defined");
    }
}

/// A value that can be compared across stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number, by its bits.
    Bits(u128),
    /// Any null reference.
    Null,
    /// A function.
    Function,
    /// An unboxed integer.
    I31(u32),
    /// What the host made of a number.
    Host(u32),
    /// A struct or array, by what it holds; nothing below a certain depth.
    Held(Vec<Value>),
    /// Any other reference.
    Other,
}

/// How a call or an instantiation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It returned.
    Returned(Vec<Value>),
    /// It trapped.
    Trapped(Trap),
    /// It threw an exception that nothing caught.
    Threw(Vec<Value>),
    /// It could not be begun, in the engine's words.
    Refused(String),
}

impl Ending {
    /// The ending that a failure stands for.
    pub fn of_error(store: &mut Store<Host>, error: &wasmtime::Error) -> Ending {
        if let Some(trap) = error.downcast_ref::<Trap>() {
            return Ending::Trapped(*trap);
        }
        if error.is::<ThrownException>() {
            let thrown = store.take_pending_exception();
            return Ending::Threw(thrown.map_or(Vec::new(), |exception| {
                let fields = exception.fields(&mut *store).expect("an exception has fields");
                let fields: Vec<Val> = fields.collect();
                fields.iter().map(|field| Value::new(store, field)).collect()
            }));
        }
        // An engine numbers types in the order in which it meets them.
        let reason = error.root_cause().to_string();
        Ending::Refused(reason.replace(|c: char| c.is_ascii_digit(), ""))
    }

    /// Whether the stack was used up, of which a twin needs more.
    pub fn is_exhaustion(&self) -> bool {
        *self == Ending::Trapped(Trap::StackOverflow)
    }
}

/// Calls a function.
pub fn call(store: &mut Store<Host>, function: &Func, args: &[Val]) -> Ending {
    let mut results = vec![Val::I32(0); function.ty(&*store).results().len()];
    match function.call(&mut *store, args, &mut results) {
        Ok(()) => Ending::Returned(results.iter().map(|val| Value::new(store, val)).collect()),
        Err(error) => Ending::of_error(store, &error),
    }
}

impl Value {
    /// Takes over a number; of a reference only whether it is null, and a function.
    pub fn of_simple(val: &Val) -> Value {
        match val {
            Val::I32(value) => Value::Bits((*value as u32).into()),
            Val::I64(value) => Value::Bits((*value as u64).into()),
            Val::F32(bits) => Value::Bits((*bits).into()),
            Val::F64(bits) => Value::Bits((*bits).into()),
            Val::V128(value) => Value::Bits(value.as_u128()),
            Val::FuncRef(None) | Val::ExternRef(None) | Val::AnyRef(None) | Val::ExnRef(None) => {
                Value::Null
            }
            Val::FuncRef(Some(_)) => Value::Function,
            _ => Value::Other,
        }
    }

    /// Depth to which references are followed.
    const DEPTH: u32 = 3;

    /// Takes a value out of its store.
    pub fn new(store: &mut Store<Host>, val: &Val) -> Value {
        Value::at_depth(store, val, Value::DEPTH)
    }

    fn at_depth(store: &mut Store<Host>, val: &Val, depth: u32) -> Value {
        match val {
            Val::ExternRef(Some(reference)) => Value::of_extern(store, reference),
            Val::AnyRef(Some(reference)) => Value::of_any(store, *reference, depth),
            simple => Value::of_simple(simple),
        }
    }

    fn of_extern(store: &Store<Host>, reference: &Rooted<wasmtime::ExternRef>) -> Value {
        let data = reference.data(store).ok().flatten();
        data.and_then(|data| data.downcast_ref()).map_or(Value::Other, |n| Value::Host(*n))
    }

    fn of_any(store: &mut Store<Host>, reference: Rooted<wasmtime::AnyRef>, depth: u32) -> Value {
        if let Ok(Some(value)) = reference.as_i31(&*store) {
            return Value::I31(value.get_u32());
        }
        let held: Vec<Val> = if let Ok(Some(object)) = reference.as_struct(&*store) {
            object.fields(&mut *store).map_or(Vec::new(), Iterator::collect)
        } else if let Ok(Some(array)) = reference.as_array(&*store) {
            array.elems(&mut *store).map_or(Vec::new(), |elements| elements.take(100).collect())
        } else if let Ok(object) = wasmtime::ExternRef::convert_any(&mut *store, reference) {
            return Value::of_extern(store, &object);
        } else {
            return Value::Other;
        };
        match depth.checked_sub(1) {
            Some(depth) => {
                Value::Held(held.iter().map(|val| Value::at_depth(store, val, depth)).collect())
            }
            None => Value::Other,
        }
    }
}
