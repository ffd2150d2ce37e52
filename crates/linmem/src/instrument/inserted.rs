//! What a function is that the pass puts into a module. Each is one file, and one line in `mode`.

use wasm_encoder::ValType;

use super::features::Features;
use super::index_space::{Helper, IndexSpace};
use super::offset_map::Origin;
use crate::module::SiteKind;

/// A function that the pass appends to a module.
pub(super) trait Inserted {
    /// Its type.
    fn ty(&self, features: &Features) -> Signature;

    /// Its name in the name section, which engines show in their backtraces.
    fn name(&self) -> String;

    /// What its frames in a backtrace stand for: most for nothing.
    fn origin(&self) -> Origin {
        Origin::Added
    }

    /// How it is reached, and from where.
    fn reached(&self) -> Reached;

    /// Its code, declarations of locals included.
    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8>;
}

/// The type of an inserted function.
pub(super) enum Signature {
    /// That of this function of the original.
    Of(u32),
    /// One that is added for it: parameters and results.
    New(Vec<ValType>, Vec<ValType>),
}

/// How an inserted function is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// Wherever the module names this function, or the host enters it.
    Instead(u32),
    /// Where the host calls this function, as an export or from a table that it looks into.
    ByHost(u32),
    /// Where the module calls this function directly, and gets its results.
    AtCalls(u32),
    /// Where the module calls this function directly, and hands its results on.
    AtTailCalls(u32),
    /// Where the module executes this instruction, which takes and returns the same.
    AtInstructions(SiteKind),
    /// The host calls it under this name.
    ByExport(&'static str),
    /// Other code that is inserted calls it.
    ByCode(Helper),
    /// The engine calls it when the module is instantiated; it calls the module's own start function.
    AtStart,
}
