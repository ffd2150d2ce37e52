//! A module as a recorder knows it.

use std::collections::BTreeSet;

use super::contexts::KnownContexts;
use crate::error::{Error, ErrorKind, Result};
use crate::instrument::hooks::exported_globals;
use crate::language::RuntimeFrames;
use crate::module::PAGE_BYTES;
use crate::prepared::Prepared;
use crate::trace::{Record, UNKNOWN_SIZE};

/// A module of a recording.
pub(super) struct Module {
    pub(super) contexts: KnownContexts,
    /// The globals that a snapshot takes.
    pub(super) globals: Vec<u32>,
    pub(super) runtime_frames: RuntimeFrames,
    /// How many bytes from address 0 on hold nothing of the module's own.
    pub(super) low_memory_bytes: u64,
    pub(super) page_bytes: u64,
    hooked: BTreeSet<u32>,
    /// The largest value of an address or a size: what -1 is as a parameter.
    minus_one: u64,
}

impl Module {
    /// What is known of a module, and the record that tells of it.
    pub(super) fn new(prepared: &Prepared<'_>, name: &str) -> Result<(Module, Record)> {
        let allocator = serde_json::to_string(prepared.allocator()).map_err(|error| {
            let message = format!("cannot write down the allocator's functions: {error}");
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let bytes = prepared.wasm().to_vec();
        let record = Record::Module { name: name.to_owned(), bytes, allocator };
        let memory = prepared.module.memories.first();
        let is_64 = memory.is_some_and(|memory| memory.is_64);
        let module = Module {
            contexts: KnownContexts::default(),
            globals: exported_globals(&prepared.module).collect(),
            runtime_frames: RuntimeFrames::of(&prepared.module),
            low_memory_bytes: prepared.module.low_memory_bytes(),
            page_bytes: memory.map_or(PAGE_BYTES, |memory| memory.page_bytes),
            hooked: prepared.allocator().hooked(),
            minus_one: if is_64 { u64::MAX } else { u32::MAX.into() },
        };
        Ok((module, record))
    }

    /// Whether a function is one of the allocator.
    pub(super) fn is_hooked(&self, function: u32) -> bool {
        self.hooked.contains(&function)
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
