//! The rewriting pass: a module that was read and a [`Mode`] in, an instrumented module and the way
//! back to the original offsets out.
//!
//! Nothing that the module can observe changes. New imports stand behind the existing imports, new
//! types, globals and functions behind the existing ones. Instructions that do not call, take a
//! function's reference or grow a memory are copied byte for byte.
//!
//! - `mode`: what a mode puts into a module, as lists
//! - `inserted`: what a function is that is put in; one file for each: `growth`, `size`,
//!   `allocation`, `entries`, `stubs`
//! - `nested`: entries inside others of which the host need not know
//! - `contexts`: calling contexts, kept at call sites
//! - `index_space`: where everything stands in the new module
//! - `edits`: changes of one function's code, and how lists of them are merged
//! - `left_alone`: functions that would be too large with them
//! - `pass`: the module, section by section
//! - `hooks`: the contract with the hosts that run the new module
//! - `offset_map`, `recorder_map`: what hosts have to know of it besides

mod allocation;
pub(crate) mod boundary;
mod checks;
mod contexts;
mod edits;
mod entries;
mod features;
mod growth;
pub(crate) mod hooks;
mod index_space;
mod inserted;
mod left_alone;
mod mode;
mod nested;
mod offset_map;
mod pass;
mod recorder_map;
mod shadow;
mod size;
mod stubs;

use crate::error::{Error, ErrorKind, Result};
use crate::module::Module;
use crate::prepared::Prepared;

pub use checks::Elision;
pub use hooks::{
    HOOK_MODULE, Hook, INSTANCE_EXPORT, MEMORY_EXPORT, RUNNING_EXPORT, SIZE_EXPORT, TELL_EXPORT,
    global_export, is_added_export,
};
pub use mode::{Mode, QUARANTINE_BYTES, REDZONE_BYTES};
pub use offset_map::OffsetMap;
pub(crate) use offset_map::Origin;
pub(crate) use recorder_map::NO_MEMORY;
#[cfg(test)]
pub(crate) use recorder_map::VERSION as MAP_VERSION;

/// The result of instrumenting a module.
#[derive(Debug)]
#[non_exhaustive]
pub struct Instrumented {
    /// The new module.
    pub wasm: Vec<u8>,
    /// From its functions and offsets back to the original's.
    pub map: OffsetMap,
    /// Of each function of the original, whether it is recursive.
    recursive: Vec<bool>,
    /// Where accesses are checked, whether all blocks of the heap are known.
    checked: Option<bool>,
    /// Functions whose accesses are not checked all the same.
    unchecked: Vec<u32>,
}

/// What reports have to say about functions that stay as they are, because they would be too large.
pub(crate) fn notes(prepared: &Prepared<'_>) -> Vec<String> {
    if is_rewritten(prepared) { left_alone::notes(prepared) } else { Vec::new() }
}

/// The functions whose accesses a mode does not check, although it checks others: with checks engines would refuse them.
pub(crate) fn unchecked(prepared: &Prepared<'_>, mode: &Mode) -> Vec<u32> {
    let checks = is_rewritten(prepared) && mode.checks(prepared).is_some();
    if checks { left_alone::unchecked(prepared, mode) } else { Vec::new() }
}

fn is_rewritten(prepared: &Prepared<'_>) -> bool {
    !prepared.module.memories.is_empty()
}

/// Rewrites a module for a mode.
///
/// A module without a memory comes back as it is.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] when the module cannot be rewritten.
pub(crate) fn instrument(prepared: &Prepared<'_>, mode: &Mode) -> Result<Instrumented> {
    let module = &prepared.module;
    if !is_rewritten(prepared) {
        let (wasm, map) = (module.bytes.to_vec(), OffsetMap::identity(module));
        let recursive = Vec::new();
        return Ok(Instrumented { wasm, map, recursive, checked: None, unchecked: Vec::new() });
    }
    refuse_our_names(module)?;
    if let (Some(_), Some(obstacle)) = (mode.checks(prepared), obstacle_to_checks(module)) {
        return Err(Error::new(ErrorKind::Unsupported, obstacle));
    }
    pass::run(prepared, mode.plan(prepared))
}

/// Why accesses of a module cannot be checked, if they cannot.
fn obstacle_to_checks(module: &Module<'_>) -> Option<&'static str> {
    let memory = module.memories[0];
    let has_all_addresses =
        !memory.is_64 && memory.initial_pages.saturating_mul(memory.page_bytes) >= 1 << 32;
    // What other modules do with its blocks, its own shadow does not know.
    let is_linked = module.imports.iter().any(|import| import.name == "__memory_base");
    if memory.shared {
        Some(
            "accesses of a memory that threads share cannot be checked; without checks it is recorded",
        )
    } else if is_linked {
        Some(
            "accesses of a module that is linked at run time cannot be checked; without checks it is recorded",
        )
    } else if has_all_addresses {
        Some(
            "accesses of a memory that begins with 4 GiB cannot be checked: there is no room for more pages beside it",
        )
    } else {
        None
    }
}

fn refuse_our_names(module: &Module<'_>) -> Result<()> {
    match module.exports.iter().find(|export| hooks::is_added_export(export.name)) {
        None => Ok(()),
        Some(export) => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the module exports `{}`, as instrumented modules do; give the original to linmem",
                export.name
            ),
        )),
    }
}

#[cfg(test)]
mod tests;
