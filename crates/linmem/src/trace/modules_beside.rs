//! Modules in files beside a recording: recorders that keep a module in a file anyway need not write it once more.

use std::fmt;
use std::sync::Arc;

use super::Record;
use crate::error::{Error, ErrorKind, Result};

/// Why a recording cannot be read otherwise.
pub(crate) const ELSEWHERE: &str =
    "a module stands in a file beside it: read it together with its directory";

/// Gives the module with a SHA-256.
type Read = dyn Fn(&[u8; 32]) -> Result<Vec<u8>> + Send + Sync;

/// How to read such files, if it is known.
#[derive(Clone, Default)]
pub(crate) struct ModulesBeside(Option<Arc<Read>>);

impl ModulesBeside {
    /// `read` gives the module with a SHA-256, and has checked it.
    pub fn new(
        read: impl Fn(&[u8; 32]) -> Result<Vec<u8>> + Send + Sync + 'static,
    ) -> ModulesBeside {
        ModulesBeside(Some(Arc::new(read)))
    }

    /// The record with the module itself, if it is of one, and if it is known how to read it.
    pub fn resolved(&self, record: Record) -> Result<Record> {
        match (record, &self.0) {
            (Record::ModuleBeside { name, digest, allocator }, Some(read)) => {
                let digest = digest.try_into().map_err(|_| {
                    Error::new(ErrorKind::InvalidTrace, "damaged trace: a digest has 32 bytes")
                })?;
                Ok(Record::Module { name, bytes: read(&digest)?, allocator })
            }
            (record, _) => Ok(record),
        }
    }
}

impl fmt::Debug for ModulesBeside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", if self.0.is_some() { "read" } else { "unknown" })
    }
}
