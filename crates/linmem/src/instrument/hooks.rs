//! The contract between instrumented code and every host that runs it: what a module imports and
//! exports once it is instrumented.
//!
//! An instrumented module imports the functions of [`Hook`] from the module [`HOOK_MODULE`], unless its
//! [`Mode`](super::Mode) says another one. A host passes each call on to a
//! [`Recorder`](crate::record::Recorder), which knows what it means. All parameters are `i32`, except
//! addresses and sizes in a module with a 64-bit memory, which are `i64`: a JavaScript host never sees a
//! BigInt for an ordinary module.

use std::collections::BTreeSet;

use wasm_encoder::ValType;

use super::features::Features;
use crate::module::Module;

/// The module that hooks are imported from, unless a [`Mode`](super::Mode) says another one.
pub const HOOK_MODULE: &str = "linmem";

/// What a hook gets for a size that the caller did not give: -1, as wide as an address.
pub(super) const NOT_GIVEN: u64 = u64::MAX;

/// The name under which memory 0 is exported, whether or not the module exports it itself. A host
/// hides the name.
pub const MEMORY_EXPORT: &str = "linmem.memory";

/// The name of an exported function that executes `memory.size` in the module. A host hides the name.
pub const SIZE_EXPORT: &str = "linmem.memory.size";

/// The name of the global that hooks get as their last argument. It is 0 until the host sets it: one
/// import can serve many instances. A host hides the name.
pub const INSTANCE_EXPORT: &str = "linmem.instance";

/// The name of an exported function that calls [`Hook::BadAccess`] for each access that the host was not told of: a trap
/// may have ended the function that would have. A host hides the name.
pub const TELL_EXPORT: &str = "linmem.tell";

/// The name of an exported function that says whether all bytes of a range may be accessed, where accesses are checked:
/// `(address, bytes) -> i32`. A host that reads and writes memory can ask. A host hides the name.
pub const ACCESSIBLE_EXPORT: &str = "linmem.accessible";

/// The name of an exported function that returns 0 if the host knows of the entry under way, else the index of its function
/// and 1. Functions like this are there where entries inside others may go untold, and a host may ask for that by
/// [`CONFIRM_EXPORT`]. A host hides the names.
pub(crate) const UNTOLD_EXPORT: &str = "linmem.untold";

/// The name of the exported function by which a host takes note of that entry; it returns the level.
pub(crate) const SEE_EXPORT: &str = "linmem.see";

/// The name of the exported function by which a host says up to which level entries inside others are known to be right, and
/// need not be told.
pub(crate) const CONFIRM_EXPORT: &str = "linmem.confirm";

/// The name of the global that counts the entries which have not returned. A host hides the name.
pub const RUNNING_EXPORT: &str = "linmem.running";

/// The name of the table of functions that the host can enter: first the functions themselves, then
/// their entries, in the same order. A host hides the name.
pub(crate) const FUNCTIONS_EXPORT: &str = "linmem.functions";

/// What the names of globals begin with that are exported by their index.
pub(crate) const GLOBAL_EXPORT: &str = "linmem.global.";

/// What the names of tables begin with that are exported by their index.
pub(crate) const TABLE_EXPORT: &str = "linmem.table.";

/// The name under which a global is exported that can hold a pointer, given its index in the original
/// module. A host hides the name.
pub fn global_export(global: u32) -> String {
    format!("{GLOBAL_EXPORT}{global}")
}

/// The name under which a table of functions is exported. A host hides the name.
pub(super) fn table_export(table: u32) -> String {
    format!("{TABLE_EXPORT}{table}")
}

/// Whether instrumentation added an export of this name. A host hides it.
pub fn is_added_export(name: &str) -> bool {
    const ADDED: [&str; 10] = [
        MEMORY_EXPORT,
        SIZE_EXPORT,
        TELL_EXPORT,
        ACCESSIBLE_EXPORT,
        INSTANCE_EXPORT,
        RUNNING_EXPORT,
        UNTOLD_EXPORT,
        SEE_EXPORT,
        CONFIRM_EXPORT,
        FUNCTIONS_EXPORT,
    ];
    ADDED.contains(&name) || [GLOBAL_EXPORT, TABLE_EXPORT].iter().any(|ours| name.starts_with(ours))
}

/// The globals that can hold a pointer or a stack pointer: mutable integers.
pub(crate) fn exported_globals(module: &Module<'_>) -> impl Iterator<Item = u32> {
    use wasmparser::ValType;
    module.globals.iter().zip(0..).filter_map(|(global, index)| {
        let integer = matches!(global.ty, ValType::I32 | ValType::I64);
        (global.mutable && integer).then_some(index)
    })
}

/// The tables of functions.
pub(super) fn exported_tables(module: &Module<'_>) -> impl Iterator<Item = u32> {
    module.function_tables.iter().zip(0..).filter_map(|(holds, index)| holds.then_some(index))
}

/// The functions of the module's own that the host can call: those that are exported, and those that it
/// can meet in a table or in a global.
pub(super) fn functions_to_enter(module: &Module<'_>) -> BTreeSet<u32> {
    let exported = module.exported_functions().map(|(_, function)| function);
    let taken = module.address_taken.iter().copied().filter(|_| shows_references(module));
    exported.chain(taken).filter(|&f| f >= module.imported_functions()).collect()
}

/// Whether the host can look into a table or a global that holds functions.
fn shows_references(module: &Module<'_>) -> bool {
    use wasmparser::{ExternalKind, TypeRef, ValType};
    let exported = module.exports.iter().any(|export| match export.kind {
        ExternalKind::Table => true,
        ExternalKind::Global => {
            let global = module.globals.get(export.index as usize);
            global.is_some_and(|global| matches!(global.ty, ValType::Ref(_)))
        }
        _ => false,
    });
    let imported = module.imports.iter().any(|import| match import.ty {
        TypeRef::Table(_) => true,
        TypeRef::Global(global) => matches!(global.content_type, ValType::Ref(_)),
        _ => false,
    });
    exported || imported
}

/// One function that instrumented code imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hook {
    /// `allocated(pointer, size, alignment, context_low, context_high)`, after the allocator
    /// function returned. The pointer is 0 for a failed allocation, the alignment 0 where the
    /// caller gave none.
    Allocated,
    /// `freed(pointer, size, alignment, context_low, context_high)`, before the allocator
    /// function runs. The size is -1 where the caller gave none.
    Freed,
    /// `reallocating(pointer, old_size, alignment, new_size, context_low, context_high)`, before
    /// the allocator function runs.
    Reallocating,
    /// `reallocated(pointer)`, after it returned.
    Reallocated,
    /// `grown(delta_pages, previous_pages, in_allocator, context_low, context_high)`, after
    /// `memory.grow`. `previous_pages` is -1 for a failed growth.
    Grown,
    /// `entered(function, level, running, stack_pointer, a, b, c, d)`, when the host calls a function,
    /// which it knows as an export or from a table. `level` says how many entries wait for the host
    /// meanwhile, and `running` how many have not returned; it is more after a trap or an exception. Where entries may go
    /// untold and the host has to look whether this one is inside another, it is the complement, which is negative. The
    /// stack pointer is 0 where the module has none. The others are the first arguments that can be
    /// addresses, 0 where there are fewer. If there are more, `passed` follows.
    ///
    /// It returns the level of the entry as the host knows it; the complement of that, which is negative, where the
    /// host wants neither `passed` nor `returned` of this entry.
    Entered,
    /// `resumed(level)`, when the host is back from an import, and entered the instance meanwhile.
    Resumed,
    /// `passed(a, b, c, d)`: further arguments.
    Passed,
    /// `returned(function, value)`, for each result that can be an address.
    Returned,
    /// `handed_out(a, b, c, d)`: the module calls an imported function with these arguments.
    HandedOut,
    /// `bad_access(instruction, address, bytes, by)`: the instruction at this offset of the original file accessed memory
    /// that it must not, or an imported function of this index did. `by` is an [`AccessedBy`](crate::trace::AccessedBy); see [`BadAccess`](crate::trace::BadAccess). Only where accesses are checked.
    BadAccess,
}

impl Hook {
    /// All hooks, in the order of their imports.
    pub const ALL: [Hook; 11] = [
        Hook::Allocated,
        Hook::Freed,
        Hook::Reallocating,
        Hook::Reallocated,
        Hook::Grown,
        Hook::Entered,
        Hook::Resumed,
        Hook::Passed,
        Hook::Returned,
        Hook::HandedOut,
        Hook::BadAccess,
    ];

    /// Those that are imported where accesses are not checked: all but the last.
    pub const OF_RECORDS: &[Hook] = Hook::ALL.split_at(Hook::ALL.len() - 1).0;

    /// How many values [`Hook::Entered`], [`Hook::Passed`] and [`Hook::HandedOut`] take at once.
    pub(crate) const VALUES: usize = 4;

    /// Whether the last two parameters of its own are the halves of a context.
    #[cfg(test)]
    pub(crate) fn has_context(self) -> bool {
        matches!(self, Hook::Allocated | Hook::Freed | Hook::Reallocating | Hook::Grown)
    }

    /// The field name of the import.
    pub fn name(self) -> &'static str {
        match self {
            Hook::Allocated => "allocated",
            Hook::Freed => "freed",
            Hook::Reallocating => "reallocating",
            Hook::Reallocated => "reallocated",
            Hook::Grown => "grown",
            Hook::Entered => "entered",
            Hook::Resumed => "resumed",
            Hook::Passed => "passed",
            Hook::Returned => "returned",
            Hook::HandedOut => "handed_out",
            Hook::BadAccess => "bad_access",
        }
    }

    /// The parameters, in order. The last one of all is the instance, an `i32`.
    fn params(self) -> &'static [HookParam] {
        use HookParam::{Address, I32};
        match self {
            Hook::Allocated | Hook::Freed => &[Address, Address, Address, I32, I32],
            Hook::Reallocating => &[Address, Address, Address, Address, I32, I32],
            Hook::Reallocated => &[Address],
            Hook::Grown => &[Address, Address, I32, I32, I32],
            Hook::Entered => &[I32, I32, I32, Address, Address, Address, Address, Address],
            Hook::Resumed => &[I32],
            Hook::BadAccess => &[I32, Address, Address, I32],
            Hook::Passed | Hook::HandedOut => &[Address; Hook::VALUES],
            Hook::Returned => &[I32, Address],
        }
    }

    /// The type: parameters and results.
    pub(super) fn ty(self, features: &Features) -> (Vec<ValType>, Vec<ValType>) {
        let own = self.params().iter().map(|param| param.ty(features));
        let params = own.chain([ValType::I32]).collect();
        (params, if self == Hook::Entered { vec![ValType::I32] } else { vec![] })
    }
}

/// The type of a hook's parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HookParam {
    /// `i32`
    I32,
    /// An address or a size: `i64` in a module whose memory 0 has 64-bit addresses, `i32` otherwise.
    Address,
}

impl HookParam {
    /// The type in a module.
    fn ty(self, features: &Features) -> ValType {
        match self {
            HookParam::I32 => ValType::I32,
            HookParam::Address => features.address,
        }
    }
}
