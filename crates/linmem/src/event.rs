//! The contract between instrumented code and every host that runs it.
//!
//! An instrumented module imports the functions of [`Hook`] from the module [`IMPORT_MODULE`].
//! A host turns each call into an [`Event`]. All parameters are `i32`, but for addresses and
//! sizes in a module with a 64-bit memory, which are `i64`; a JavaScript host never sees a
//! BigInt for an ordinary module.

use std::collections::BTreeSet;

use wasmparser::ValType;

use crate::module::Module;

/// The module name of every hook.
pub const IMPORT_MODULE: &str = "linmem";

/// "The caller did not say": the size of a block that is freed by `free(pointer)`.
pub const UNKNOWN_SIZE: u64 = u64::MAX;

/// Memory 0 under a name of ours, as a module need not export it. A host hides the name.
pub const MEMORY_EXPORT: &str = "linmem.memory";

/// A function that executes `memory.size` inside of the module. A host hides the name.
pub const SIZE_EXPORT: &str = "linmem.memory.size";

/// What the names of exported globals begin with.
pub const GLOBAL_EXPORT: &str = "linmem.global.";

/// What the names of exported tables of functions begin with.
pub const TABLE_EXPORT: &str = "linmem.table.";

/// What the names begin with under which functions are exported that have a stand-in under their own
/// name, and can be met elsewhere as well.
pub const FUNCTION_EXPORT: &str = "linmem.function.";

/// A global that can change, under a name of ours. A host hides the name.
pub fn global_export(global: u32) -> String {
    format!("{GLOBAL_EXPORT}{global}")
}

/// A table of functions, under a name of ours. A host hides the name.
pub fn table_export(table: u32) -> String {
    format!("{TABLE_EXPORT}{table}")
}

/// A function that has a stand-in, under a name of ours. A host hides the name, and shows the
/// stand-in wherever it meets the function.
pub fn function_export(function: u32) -> String {
    format!("{FUNCTION_EXPORT}{function}")
}

/// Whether an exported name is one of ours.
pub fn is_ours(name: &str) -> bool {
    [MEMORY_EXPORT, SIZE_EXPORT].contains(&name)
        || [GLOBAL_EXPORT, TABLE_EXPORT, FUNCTION_EXPORT].iter().any(|ours| name.starts_with(ours))
}

/// The globals that can hold a pointer or a stack pointer: mutable integers.
pub fn exported_globals(module: &Module<'_>) -> impl Iterator<Item = u32> {
    module.globals.iter().zip(0..).filter_map(|(global, index)| {
        let integer = matches!(global.ty, ValType::I32 | ValType::I64);
        (global.mutable && integer).then_some(index)
    })
}

/// The tables of functions.
pub fn exported_tables(module: &Module<'_>) -> impl Iterator<Item = u32> {
    module.function_tables.iter().zip(0..).filter_map(|(holds, index)| holds.then_some(index))
}

/// The functions that the host knows as exports, and can meet in tables or globals as well.
pub fn functions_met_elsewhere(module: &Module<'_>) -> impl Iterator<Item = u32> {
    let exported: BTreeSet<u32> = module.exported_functions().map(|(_, f)| f).collect();
    let defined = exported.into_iter().filter(|&f| f >= module.imported_functions());
    defined.filter(|function| module.address_taken.binary_search(function).is_ok())
}

/// One function that instrumented code imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// `entered(function, a, b, c, d)`, when the host calls an exported function. The others are its
    /// first arguments that can be addresses, 0 where it has fewer. Where it has more, `passed`
    /// follows.
    Entered,
    /// `passed(a, b, c, d)`: further arguments.
    Passed,
    /// `returned(function, value)`, for each result that can be an address.
    Returned,
    /// `handed_out(a, b, c, d)`: the module calls an imported function with these arguments.
    HandedOut,
}

impl Hook {
    /// Every hook, in the order of their imports.
    pub const ALL: [Hook; 9] = [
        Hook::Allocated,
        Hook::Freed,
        Hook::Reallocating,
        Hook::Reallocated,
        Hook::Grown,
        Hook::Entered,
        Hook::Passed,
        Hook::Returned,
        Hook::HandedOut,
    ];

    /// How many values [`Hook::Entered`], [`Hook::Passed`] and [`Hook::HandedOut`] take at once.
    pub const VALUES: usize = 4;

    /// The field name of the import.
    pub fn name(self) -> &'static str {
        match self {
            Hook::Allocated => "allocated",
            Hook::Freed => "freed",
            Hook::Reallocating => "reallocating",
            Hook::Reallocated => "reallocated",
            Hook::Grown => "grown",
            Hook::Entered => "entered",
            Hook::Passed => "passed",
            Hook::Returned => "returned",
            Hook::HandedOut => "handed_out",
        }
    }

    /// The parameter types, for a memory with this address type.
    pub fn params(self, address: ValType) -> Vec<ValType> {
        const I32: ValType = ValType::I32;
        match self {
            Hook::Allocated | Hook::Freed => vec![address, address, address, I32, I32],
            Hook::Reallocating => vec![address, address, address, address, I32, I32],
            Hook::Reallocated => vec![address],
            Hook::Grown => vec![address, address, I32, I32, I32],
            Hook::Entered => vec![I32, address, address, address, address],
            Hook::Passed | Hook::HandedOut => vec![address; Hook::VALUES],
            Hook::Returned => vec![I32, address],
        }
    }
}

/// What happened to the heap or the memory of one instance. Sizes are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An allocation; `pointer` is 0 when it failed.
    Allocated {
        /// Address of the block.
        pointer: u64,
        /// Bytes asked for.
        size: u64,
        /// Alignment asked for, 0 if none.
        align: u64,
        /// Where.
        context: ContextId,
    },
    /// A deallocation is about to happen.
    Freed {
        /// The pointer passed.
        pointer: u64,
        /// The size passed, or [`UNKNOWN_SIZE`].
        size: u64,
        /// The alignment passed, 0 if none.
        align: u64,
        /// Where.
        context: ContextId,
    },
    /// A reallocation is about to happen.
    Reallocating {
        /// The pointer passed.
        pointer: u64,
        /// The old size passed, or [`UNKNOWN_SIZE`].
        old_size: u64,
        /// The alignment passed, 0 if none.
        align: u64,
        /// Bytes asked for.
        new_size: u64,
        /// Where.
        context: ContextId,
    },
    /// The reallocation that was about to happen is over; `pointer` is 0 when it failed.
    Reallocated {
        /// Address of the block now.
        pointer: u64,
    },
    /// `memory.grow` was executed.
    Grown {
        /// Pages asked for.
        delta_pages: u64,
        /// Pages before, or `None` when the growth failed.
        previous_pages: Option<u64>,
        /// Whether an allocator function asked.
        in_allocator: bool,
        /// Where.
        context: ContextId,
    },
}

/// A distinct call stack: an index into the contexts of a trace, numbered from 0 in the order in
/// which they were first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContextId(pub u32);

impl Event {
    /// Where it happened; the end of a reallocation happened where its beginning did.
    pub fn context(&self) -> Option<ContextId> {
        match *self {
            Event::Allocated { context, .. }
            | Event::Freed { context, .. }
            | Event::Reallocating { context, .. }
            | Event::Grown { context, .. } => Some(context),
            Event::Reallocated { .. } => None,
        }
    }
}
