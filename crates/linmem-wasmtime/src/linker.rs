//! What a module may import: WASI preview 1, the hooks, and stubs where they are asked for.

use linmem::{Error, ErrorKind, Result};
use wasmtime::{Engine, ExternType, Linker, Store};

use crate::refused;
use crate::running::{State, recording};
use crate::watched::Watched;

/// Provides what the module imports.
///
/// # Errors
///
/// [`ErrorKind::MissingImports`] when it imports something that nobody provides.
pub(crate) fn linker(
    engine: &Engine,
    watched: &Watched,
    stub_imports: bool,
    store: &mut Store<State>,
) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_sync(&mut linker, |state: &mut State| &mut state.wasi)
        .map_err(refused)?;
    watched.add_to_linker(&mut linker, recording)?;
    if stub_imports {
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

fn kind_of(ty: &ExternType) -> &'static str {
    match ty {
        ExternType::Func(_) => "function",
        ExternType::Global(_) => "global",
        ExternType::Table(_) => "table",
        ExternType::Memory(_) => "memory",
        ExternType::Tag(_) => "tag",
    }
}
