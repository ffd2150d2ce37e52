//! What a module may import: WASI preview 1, the hooks, what every Emscripten module imports, a memory, and stubs
//! where they are asked for.

use std::collections::BTreeMap;

use linmem::{Error, ErrorKind, Result};
use wasmtime::{Engine, ExternType, FuncType, ImportType, Linker, Memory, Store, Val, ValType};
use wasmtime_wasi::p1::WasiP1Ctx;

use crate::refused;
use crate::running::{State, recording};
use crate::sleep;
use crate::watched::Watched;

/// Imports of modules that Emscripten links to run without JavaScript: they tell the host something, and want
/// nothing.
const OF_EMSCRIPTEN: [(&str, &str); 1] = [("env", "emscripten_notify_memory_growth")];

/// What stands in for functions that are imported and that nobody provides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stubs {
    /// What those do that have no value of their own; `None` refuses the module.
    pub(crate) others: Option<Stub>,
    /// What a function returns, by `name` or `module.name`.
    pub(crate) values: BTreeMap<String, i64>,
}

/// What a stub does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stub {
    /// It traps.
    Trap,
    /// It returns zero, or NULL.
    Zero,
}

impl Stubs {
    fn value(&self, import: &ImportType<'_>) -> Option<i64> {
        let full = format!("{}.{}", import.module(), import.name());
        let value = self.values.get(&full).or_else(|| self.values.get(import.name()));
        value.copied().or_else(|| (self.others == Some(Stub::Zero)).then_some(0))
    }
}

/// Provides what the module imports. What waits in WASI can be stopped if it `is_async`.
///
/// # Errors
///
/// [`ErrorKind::MissingImports`] when it imports something that nobody provides.
pub(crate) fn linker(
    engine: &Engine,
    watched: &Watched,
    stubs: &Stubs,
    is_async: bool,
    store: &mut Store<State>,
) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    if is_async {
        wasmtime_wasi::p1::add_to_linker_async(&mut linker, wasi).map_err(refused)?;
        sleep::add_to_linker(&mut linker, store).map_err(refused)?;
    } else {
        wasmtime_wasi::p1::add_to_linker_sync(&mut linker, wasi).map_err(refused)?;
    }
    watched.add_to_linker(&mut linker, recording)?;
    for import in watched.module().imports() {
        if linker.get_by_import(&mut *store, &import).is_none() {
            provide(&mut linker, &import, stubs, store)?;
        }
    }
    if stubs.others == Some(Stub::Trap) {
        linker.define_unknown_imports_as_traps(watched.module()).map_err(refused)?;
    }
    let missing = watched
        .module()
        .imports()
        .filter(|import| linker.get_by_import(&mut *store, import).is_none())
        .map(|import| {
            format!("`{}.{}` ({})", import.module(), import.name(), kind_of(&import.ty()))
        });
    let missing: Vec<String> = missing.collect();
    if missing.is_empty() {
        return Ok(linker);
    }
    let what = if missing.len() == 1 { "something" } else { "things" };
    let message = format!(
        "the module imports {what} that WASI preview 1 does not provide: {}",
        missing.join(", ")
    );
    Err(Error::new(ErrorKind::MissingImports, message))
}

/// Provides what is imported, if it is something plain.
fn provide(
    linker: &mut Linker<State>,
    import: &ImportType<'_>,
    stubs: &Stubs,
    store: &mut Store<State>,
) -> Result<()> {
    let (module, name) = (import.module(), import.name());
    match import.ty() {
        ExternType::Memory(ty) if !ty.is_shared() => {
            let memory = Memory::new(&mut *store, ty).map_err(refused)?;
            linker.define(&*store, module, name, memory).map_err(refused)?;
        }
        ExternType::Func(ty) => {
            let is_known = OF_EMSCRIPTEN.contains(&(module, name));
            let value = stubs.value(import).or(is_known.then_some(0));
            if let Some(results) = value.and_then(|value| results(&ty, value)) {
                let stub = move |_: wasmtime::Caller<'_, State>, _: &[Val], out: &mut [Val]| {
                    out.copy_from_slice(&results);
                    Ok(())
                };
                linker.func_new(module, name, ty, stub).map_err(refused)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// A number as each of a function's results; `None` if one of them has no such value.
fn results(ty: &FuncType, value: i64) -> Option<Vec<Val>> {
    let result = |ty: ValType| match ty {
        ValType::I32 => Some(Val::I32(value as i32)),
        ValType::I64 => Some(Val::I64(value)),
        ValType::F32 => Some(Val::F32((value as f32).to_bits())),
        ValType::F64 => Some(Val::F64((value as f64).to_bits())),
        ValType::V128 => Some(Val::V128((value as u128).into())),
        ValType::Ref(ty) if ty.is_nullable() => Some(Val::null_ref(ty.heap_type())),
        ValType::Ref(_) => None,
    };
    ty.results().map(result).collect()
}

fn wasi(state: &mut State) -> &mut WasiP1Ctx {
    &mut state.wasi
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
