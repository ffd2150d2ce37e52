//! What a module is instrumented for, and what each mode puts into it: one list of each kind.

use super::contexts::{self, Contexts};
use super::edits::Producer;
use super::hooks::{HOOK_MODULE, Hook};
use super::index_space::AddedGlobal;
use super::inserted::Inserted;
use super::{allocation, entries, growth, size, stubs};
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
}

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
    /// The globals, with their initial values.
    pub(super) globals: Vec<(AddedGlobal, i64)>,
    /// The functions.
    pub(super) inserted: Vec<Box<dyn Inserted + 'm>>,
    /// What edits the module's own functions.
    pub(super) producers: Vec<Box<dyn Producer + 'm>>,
}

impl Mode {
    /// To record what the heap does, and to let the Nth allocation (counted from 1) return NULL.
    pub fn record(fail_alloc: Option<u64>) -> Mode {
        Mode::Record { fail_alloc, hook_module: HOOK_MODULE.to_owned() }
    }

    /// Imports the hooks from a module of this name, instead of
    /// [`HOOK_MODULE`](crate::instrument::HOOK_MODULE): where a host links several instrumented modules,
    /// each has hooks of its own, which know the module.
    #[must_use]
    pub fn with_hooks_of(mut self, module: &str) -> Mode {
        let Mode::Record { hook_module, .. } = &mut self;
        module.clone_into(hook_module);
        self
    }

    /// What the mode puts into a module.
    pub(super) fn plan<'m>(&self, prepared: &'m Prepared<'_>) -> Plan<'m> {
        match self {
            Mode::Record { fail_alloc, hook_module } => record(prepared, *fail_alloc, hook_module),
        }
    }
}

fn record<'m>(prepared: &'m Prepared<'_>, fail_alloc: Option<u64>, hook_module: &str) -> Plan<'m> {
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
    let mut inserted: Vec<Box<dyn Inserted + 'm>> = Vec::new();
    inserted.push(Box::new(growth::Growth));
    inserted.push(Box::new(size::Size));
    inserted.extend(allocation::wrappers(prepared, fail_alloc.is_some()));
    inserted.extend(entries::of(prepared, &observed));
    inserted.extend(stubs::of(prepared));
    Plan {
        hooks: &Hook::ALL,
        hook_module: hook_module.to_owned(),
        globals,
        inserted,
        producers: vec![Box::new(Contexts::new(prepared, observed))],
    }
}
