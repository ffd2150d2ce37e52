//! A module as a recorder knows it.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::contexts::{CALLS_LOOKED_AT, KnownContexts, OBJECTS_LOOKED_AT};
use crate::error::{Error, ErrorKind, Result};
use crate::instrument::hooks::exported_globals;
use crate::instrument::{self, Mode};
use crate::language::{self, RuntimeFrames};
use crate::module::PAGE_BYTES;
use crate::prepared::Prepared;
use crate::trace::{ContextId, Record, UNKNOWN_SIZE};

/// A module of a recording.
pub(super) struct Module {
    pub(super) contexts: KnownContexts,
    /// Contexts that begin in a function that was entered unseen, and that function.
    pub(super) unseen: FxHashMap<ContextId, u32>,
    /// By function: how many of its calls were looked at when they began.
    looked_at: FxHashMap<u32, u16>,
    facts: ModuleFacts,
}

/// What a recorder has to know of a module. A host that records many instances of it, each by itself, works
/// it out once.
#[derive(Clone)]
pub struct ModuleFacts(Arc<Facts>);

/// See [`ModuleFacts`].
pub(super) struct Facts {
    record: Record,
    /// The globals that a snapshot takes.
    pub(super) globals: Vec<u32>,
    pub(super) runtime_frames: RuntimeFrames,
    /// How many bytes from address 0 on hold nothing of the module's own.
    pub(super) low_memory_bytes: u64,
    pub(super) page_bytes: u64,
    /// The global that is the stack pointer.
    pub(super) stack_pointer: Option<u32>,
    hooked: BTreeSet<u32>,
    /// The functions that make objects for the host.
    constructors: BTreeSet<u32>,
    /// Whether it only imports the allocator's functions, as a module does that is linked to another one at run
    /// time.
    pub(super) imports_allocator: bool,
    /// The largest value of an address or a size: what -1 is as a parameter.
    minus_one: u64,
    /// Where accesses are checked, whether all blocks of the heap are known.
    pub(super) checked: Option<bool>,
    /// Functions whose accesses are not checked all the same.
    pub(super) unchecked: Vec<u32>,
}

impl Module {
    /// A module of which nothing was recorded yet.
    pub(super) fn new(facts: ModuleFacts) -> Module {
        let (unseen, looked_at) = (FxHashMap::default(), FxHashMap::default());
        Module { contexts: KnownContexts::default(), unseen, looked_at, facts }
    }

    /// Whether to look at the callers of a call of this function that begins.
    pub(super) fn wants_look(&mut self, function: u32) -> bool {
        let makes_objects = self.constructors.contains(&function);
        let most = if makes_objects { OBJECTS_LOOKED_AT } else { CALLS_LOOKED_AT };
        let looked_at = self.looked_at.entry(function).or_default();
        let wants = *looked_at < most;
        *looked_at += u16::from(wants);
        wants
    }

    /// A call of this function did not return: the next ones are looked at again.
    pub(super) fn look_again(&mut self, function: u32) {
        self.looked_at.remove(&function);
    }
}

impl Deref for Module {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts.0
    }
}

impl ModuleFacts {
    /// What is known of a module, which reports call `name`.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) when the allocator cannot be written down.
    pub fn new(prepared: &Prepared<'_>, name: &str) -> Result<ModuleFacts> {
        ModuleFacts::in_mode(prepared, name, &Mode::default())
    }

    /// The same of a module that is instrumented in this mode.
    ///
    /// # Errors
    ///
    /// As for [`new`](ModuleFacts::new).
    pub fn in_mode(prepared: &Prepared<'_>, name: &str, mode: &Mode) -> Result<ModuleFacts> {
        let allocator = serde_json::to_string(prepared.allocator()).map_err(|error| {
            let message = format!("cannot write down the allocator's functions: {error}");
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let bytes = prepared.wasm().to_vec();
        let memory = prepared.module.memories.first();
        let is_64 = memory.is_some_and(|memory| memory.is_64);
        let hooked = prepared.allocator().hooked();
        let is_imported = |function: &u32| *function < prepared.module.imported_functions();
        let imports_allocator = !hooked.is_empty() && hooked.iter().all(is_imported);
        Ok(ModuleFacts(Arc::new(Facts {
            record: Record::Module { name: name.to_owned(), bytes, allocator },
            globals: exported_globals(&prepared.module).collect(),
            runtime_frames: RuntimeFrames::of(&prepared.module),
            low_memory_bytes: prepared.module.low_memory_bytes(),
            stack_pointer: prepared.module.stack_pointer(),
            page_bytes: memory.map_or(PAGE_BYTES, |memory| memory.page_bytes),
            hooked,
            constructors: language::constructors(&prepared.module),
            imports_allocator,
            minus_one: if is_64 { u64::MAX } else { u32::MAX.into() },
            checked: mode.checks(prepared),
            unchecked: instrument::unchecked(prepared, mode),
        })))
    }

    /// The record that tells of the module.
    pub(super) fn record(&self) -> &Record {
        &self.0.record
    }
}

impl Facts {
    /// Whether a function is one of the allocator.
    pub(super) fn is_hooked(&self, function: u32) -> bool {
        self.hooked.contains(&function)
    }

    /// Whether it has an allocator of its own.
    pub(super) fn has_allocator(&self) -> bool {
        !self.hooked.is_empty() && !self.imports_allocator
    }

    /// A size that is -1 was not said.
    #[inline]
    pub(super) fn known_size(&self, size: u64) -> u64 {
        if size == self.minus_one { UNKNOWN_SIZE } else { size }
    }

    /// The pages before a growth; -1 where it was refused.
    pub(super) fn known_pages(&self, pages: u64) -> Option<u64> {
        Some(pages).filter(|pages| *pages != self.minus_one)
    }
}
