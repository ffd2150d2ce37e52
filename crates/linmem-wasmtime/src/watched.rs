//! A module whose instances are recorded, wherever they are made: instrumented, compiled, and with the hooks
//! that an embedder's linker needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use linmem::instrument::{HOOK_MODULE, OffsetMap};
use linmem::record::ModuleFacts;
use linmem::{Mode, Prepared, Result};
use wasmtime::{Engine, Linker, Module};

use crate::hooks::define_hooks;
use crate::recording::Recording;
use crate::refused;

/// A module whose instances are recorded in the stores that they live in. Clones are the same module.
///
/// It is instantiated and called like any other one, with whatever the embedder's engine, linker and stores
/// do. What is recorded goes to the [`Recording`] in the store's data. The front page of this crate shows a
/// host.
#[derive(Clone)]
pub struct Watched(Arc<Facts>);

struct Facts {
    module: Module,
    map: OffsetMap,
    recorded: ModuleFacts,
    name: String,
    /// The module that its hooks are imported from. It has one of its own, so that a linker can serve
    /// several watched modules.
    hook_module: String,
    is_64: bool,
    imports_memory: bool,
    is_stopped: AtomicBool,
    /// Whether the first access that is not right is the last one.
    stops_at_first: bool,
}

impl Watched {
    /// Instruments and compiles a module.
    ///
    /// # Errors
    ///
    /// As for [`Prepared::new`] and [`of`](Watched::of).
    pub fn new(engine: &Engine, wasm: &[u8]) -> Result<Watched> {
        Watched::of(engine, &Prepared::new(wasm, &Vec::new(), None)?, "module.wasm")
    }

    /// Instruments and compiles a module that has been prepared, for example with hints about its allocator.
    /// `name` is what reports call it.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](linmem::ErrorKind::Unsupported) when the module cannot be rewritten;
    /// [`Engine`](linmem::ErrorKind::Engine) when wasmtime refuses it.
    pub fn of(engine: &Engine, prepared: &Prepared<'_>, name: &str) -> Result<Watched> {
        static WATCHED: AtomicU64 = AtomicU64::new(1);
        let number = WATCHED.fetch_add(1, Ordering::Relaxed);
        let hook_module = format!("{HOOK_MODULE}-{number}");
        let mode = Mode::default().with_hooks_of(&hook_module);
        Watched::with(engine, prepared, name, &mode, hook_module, false)
    }

    /// The same, in a mode whose hooks are those of `hook_module`.
    pub(crate) fn with(
        engine: &Engine,
        prepared: &Prepared<'_>,
        name: &str,
        mode: &Mode,
        hook_module: String,
        stops_at_first: bool,
    ) -> Result<Watched> {
        let instrumented = prepared.instrument(mode)?;
        let memory = prepared.memory();
        Ok(Watched(Arc::new(Facts {
            module: Module::new(engine, &instrumented.wasm).map_err(refused)?,
            map: instrumented.map,
            recorded: ModuleFacts::in_mode(prepared, name, mode)?,
            name: name.to_owned(),
            hook_module,
            is_64: memory.is_some_and(|memory| memory.is_64),
            imports_memory: memory.is_some_and(|memory| memory.imported),
            is_stopped: AtomicBool::new(false),
            stops_at_first,
        })))
    }

    /// The module to instantiate.
    pub fn module(&self) -> &Module {
        &self.0.module
    }

    /// Provides the hooks that [`module`](Watched::module) imports. `recording` finds the recording in the
    /// data of the store that an instance lives in. It must find the same one each time.
    ///
    /// A linker can serve several watched modules, and each of them many stores.
    ///
    /// # Errors
    ///
    /// [`Engine`](linmem::ErrorKind::Engine) when the linker has this module's hooks already.
    pub fn add_to_linker<T: 'static>(
        &self,
        linker: &mut Linker<T>,
        recording: impl Fn(&mut T) -> &mut Recording + Send + Sync + 'static,
    ) -> Result<()> {
        let define =
            if self.0.is_64 { define_hooks::<T, u64, _> } else { define_hooks::<T, u32, _> };
        define(self.clone(), linker, recording).map_err(refused)
    }

    /// Lets the next call of a hook trap.
    pub(crate) fn stop(&self) {
        self.0.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the first access that is not right is the last one.
    pub(crate) fn stops_at_first(&self) -> bool {
        self.0.stops_at_first
    }

    /// Whether it is to stop.
    #[inline(always)]
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.is_stopped.load(Ordering::Relaxed)
    }

    /// The module that the hooks are imported from.
    pub(crate) fn hook_module(&self) -> &str {
        &self.0.hook_module
    }

    /// The way back to the original module.
    pub(crate) fn map(&self) -> &OffsetMap {
        &self.0.map
    }

    /// What a recorder has to know.
    pub(crate) fn recorded(&self) -> &ModuleFacts {
        &self.0.recorded
    }

    /// What reports call it.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether memory 0 comes from elsewhere.
    pub(crate) fn imports_memory(&self) -> bool {
        self.0.imports_memory
    }

    /// Whether this is the same module.
    pub(crate) fn is(&self, other: &Watched) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
