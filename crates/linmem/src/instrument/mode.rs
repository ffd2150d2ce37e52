//! What a module is instrumented for, and what each mode puts into it: one list of each kind.

use wasm_encoder::MemoryType;

use super::checks::{self, Checks, Elision, Form};
use super::contexts::{self, Contexts};
use super::edits::Producer;
use super::hooks::{HOOK_MODULE, Hook};
use super::index_space::{AddedGlobal, AddedMemory};
use super::inserted::Inserted;
use super::shadow::{self, Limits};
use super::{allocation, entries, growth, nested, size, stubs};
use crate::module::PAGE_BYTES;
use crate::prepared::Prepared;

/// What a module is instrumented for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// To record what its heap does.
    #[non_exhaustive]
    Record {
        /// Lets the Nth allocation (counted from 1) return NULL.
        fail_alloc: Option<u64>,
        /// The module that the hooks are imported from.
        hook_module: String,
    },
    /// The same, and to check every access of memory.
    #[non_exhaustive]
    Check {
        /// Lets the Nth allocation (counted from 1) return NULL.
        fail_alloc: Option<u64>,
        /// The module that the hooks are imported from.
        hook_module: String,
        /// Bytes behind each block that must not be accessed.
        redzone: u32,
        /// Bytes of freed blocks that are kept from the allocator, at most.
        quarantine: u64,
        /// The checks that are left out, because they cannot fail.
        elisions: Vec<Elision>,
        /// Whether V8 will run the module, which is fast with another form of the check.
        for_v8: bool,
    },
}

/// Bytes behind each block that must not be accessed, unless a [`Mode`] says otherwise.
pub const REDZONE_BYTES: u32 = 16;

/// Bytes of freed blocks that are kept from the allocator, unless a [`Mode`] says otherwise.
pub const QUARANTINE_BYTES: u64 = 16 << 20;

impl Default for Mode {
    fn default() -> Mode {
        Mode::record(None)
    }
}

/// What is put into a module, in the order in which it stands there.
pub(super) struct Plan<'m> {
    /// The hooks that are imported.
    pub(super) hooks: &'static [Hook],
    /// The module that they are imported from.
    pub(super) hook_module: String,
    /// The memories.
    pub(super) memories: Vec<NewMemory>,
    /// The globals, with their initial values.
    pub(super) globals: Vec<(AddedGlobal, i64)>,
    /// The functions.
    pub(super) inserted: Vec<Box<dyn Inserted + 'm>>,
    /// Where accesses are checked, whether all blocks of the heap are known. The engine is told then which branches are
    /// hardly ever taken.
    pub(super) checked: Option<bool>,
    /// Of each of the module's own functions, whether it is recursive.
    pub(super) recursive: Vec<bool>,
    /// What edits the module's own functions.
    pub(super) producers: Vec<Box<dyn Producer + 'm>>,
}

/// A memory that is put into a module.
pub(super) struct NewMemory {
    /// Which.
    pub(super) memory: AddedMemory,
    /// Its type.
    pub(super) ty: MemoryType,
}

impl Mode {
    /// To record what the heap does, and to let the Nth allocation (counted from 1) return NULL.
    pub fn record(fail_alloc: Option<u64>) -> Mode {
        Mode::Record { fail_alloc, hook_module: HOOK_MODULE.to_owned() }
    }

    /// The same, and to check every access of memory.
    pub fn check(fail_alloc: Option<u64>) -> Mode {
        Mode::Check {
            fail_alloc,
            hook_module: HOOK_MODULE.to_owned(),
            redzone: REDZONE_BYTES,
            quarantine: QUARANTINE_BYTES,
            elisions: Elision::ALL.to_vec(),
            for_v8: false,
        }
    }

    /// Where accesses are checked, so many bytes behind each block must not be accessed.
    #[must_use]
    pub fn with_redzone(mut self, bytes: u32) -> Mode {
        if let Mode::Check { redzone, .. } = &mut self {
            *redzone = bytes;
        }
        self
    }

    /// Where accesses are checked, so many bytes of freed blocks are kept from the allocator, at most.
    #[must_use]
    pub fn with_quarantine(mut self, bytes: u64) -> Mode {
        if let Mode::Check { quarantine, .. } = &mut self {
            *quarantine = bytes;
        }
        self
    }

    /// Checks accesses in the form that is fast in V8, the engine of Node and Chromium.
    #[must_use]
    pub fn for_v8(mut self) -> Mode {
        if let Mode::Check { for_v8, .. } = &mut self {
            *for_v8 = true;
        }
        self
    }

    /// Leaves out only checks of these kinds, to see what each is worth.
    #[must_use]
    pub fn with_elisions(mut self, only: &[Elision]) -> Mode {
        if let Mode::Check { elisions, .. } = &mut self {
            *elisions = only.to_vec();
        }
        self
    }

    /// Imports the hooks from a module of this name, instead of
    /// [`HOOK_MODULE`](crate::instrument::HOOK_MODULE): where a host links several instrumented modules,
    /// each has hooks of its own, which know the module.
    #[must_use]
    pub fn with_hooks_of(mut self, module: &str) -> Mode {
        let (Mode::Record { hook_module, .. } | Mode::Check { hook_module, .. }) = &mut self;
        module.clone_into(hook_module);
        self
    }

    /// The pages of the memory that the mode adds beside a shadow, if it does: a host that limits memories must allow it.
    pub fn log_pages(&self) -> Option<u64> {
        match self {
            Mode::Record { .. } => None,
            Mode::Check { .. } => Some(shadow::LOG_PAGES),
        }
    }

    /// The pages that a shadow has more than the memory, of 64 KiB each: a host that limits memories must allow it.
    pub fn excess_pages(&self) -> u64 {
        match self {
            Mode::Record { .. } => 0,
            Mode::Check { .. } => shadow::excess_pages(PAGE_BYTES),
        }
    }

    /// Whether accesses are checked, and if so whether all blocks of the heap are known.
    pub(crate) fn checks(&self, prepared: &Prepared<'_>) -> Option<bool> {
        match self {
            Mode::Record { .. } => None,
            Mode::Check { .. } => prepared.module.has_code().then(|| checks::knows_heap(prepared)),
        }
    }

    /// What the mode puts into a module.
    pub(super) fn plan<'m>(&self, prepared: &'m Prepared<'_>) -> Plan<'m> {
        match self {
            Mode::Record { fail_alloc, hook_module } => {
                record(prepared, *fail_alloc, hook_module, None)
            }
            Mode::Check { fail_alloc, hook_module, redzone, quarantine, elisions, for_v8 } => {
                let redzone = (*redzone).min(checks::most_redzone(prepared));
                let limits = Limits { redzone, quarantine: *quarantine };
                let form = Form { elisions, for_v8: *for_v8 };
                let checks = prepared.module.has_code().then_some((limits, form));
                record(prepared, *fail_alloc, hook_module, checks)
            }
        }
    }
}

fn record<'m>(
    prepared: &'m Prepared<'_>,
    fail_alloc: Option<u64>,
    hook_module: &str,
    checks: Option<(Limits, Form<'_>)>,
) -> Plan<'m> {
    let observed = contexts::observed(prepared);
    let mut globals = vec![
        (AddedGlobal::Depth, 0),
        (AddedGlobal::Context, 0),
        (AddedGlobal::Cyclic, 0),
        (AddedGlobal::Anchor, 0),
        (AddedGlobal::Instance, 0),
        (AddedGlobal::Level, 0),
        (AddedGlobal::Running, 0),
        (AddedGlobal::Deepest, 0),
    ];
    globals.extend(fail_alloc.map(|nth| (AddedGlobal::UntilFailure, nth as i64)));
    let knows_heap = checks.map(|_| checks::knows_heap(prepared));
    let redzone = checks.filter(|_| knows_heap == Some(true)).map(|(limits, _)| limits.redzone);
    let mut inserted: Vec<Box<dyn Inserted + 'm>> = Vec::new();
    inserted.push(Box::new(growth::Growth { shadow: knows_heap }));
    inserted.push(Box::new(size::Size));
    inserted.extend(allocation::wrappers(prepared, fail_alloc.is_some(), redzone));
    // With checks, the host may want to know what an entry was passed.
    let untold = checks.is_none().then(|| nested::functions_untold(prepared));
    let untold = untold.filter(|functions| !functions.is_empty());
    let nests = untold.is_some();
    if nests {
        globals.extend(nested::GLOBALS);
        inserted.extend(nested::functions().map(|function| -> Box<dyn Inserted + 'm> { function }));
    }
    inserted.extend(entries::of(prepared, &observed, knows_heap, untold));
    inserted.extend(stubs::of(prepared, knows_heap, nests));
    let contexts = Contexts::new(prepared, observed);
    let mut plan = Plan {
        hooks: Hook::OF_RECORDS,
        hook_module: hook_module.to_owned(),
        memories: Vec::new(),
        globals,
        inserted,
        checked: knows_heap,
        recursive: contexts.recursive(prepared.module.functions.len()),
        producers: vec![Box::new(contexts)],
    };
    if let (Some((limits, form)), Some(knows_heap)) = (checks, knows_heap) {
        plan.hooks = &Hook::ALL;
        plan.memories = shadow::memories(prepared);
        plan.globals.extend([
            (AddedGlobal::Logged, 0),
            (AddedGlobal::Oldest, 0),
            (AddedGlobal::Newest, 0),
            (AddedGlobal::Quarantined, 0),
        ]);
        plan.inserted.extend(shadow::functions(prepared, limits, knows_heap));
        plan.producers.push(Box::new(Checks::new(prepared, form)));
    }
    plan
}
