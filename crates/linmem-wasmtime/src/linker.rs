//! What a module may import: WASI preview 1, the hooks, and stubs where they are asked for.

use linmem::{Error, ErrorKind, Prepared, Result};
use wasmtime::{Engine, ExternType, Linker, Module, Store};

use crate::hooks::define_hooks;
use crate::refused;
use crate::running::State;

/// Provides what the module imports.
///
/// # Errors
///
/// [`ErrorKind::MissingImports`] when it imports something that nobody provides.
pub(crate) fn linker(
    engine: &Engine,
    compiled: &Module,
    prepared: &Prepared<'_>,
    stub_imports: bool,
    store: &mut Store<State>,
) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_sync(&mut linker, |state: &mut State| &mut state.wasi)
        .map_err(refused)?;
    let is_64 = prepared.memory().is_some_and(|memory| memory.is_64);
    let define = if is_64 { define_hooks::<u64> } else { define_hooks::<u32> };
    define(&mut linker).map_err(refused)?;
    if stub_imports {
        linker.define_unknown_imports_as_traps(compiled).map_err(refused)?;
    }
    let missing = compiled
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

fn kind_of(ty: &ExternType) -> &'static str {
    match ty {
        ExternType::Func(_) => "function",
        ExternType::Global(_) => "global",
        ExternType::Table(_) => "table",
        ExternType::Memory(_) => "memory",
        ExternType::Tag(_) => "tag",
    }
}
