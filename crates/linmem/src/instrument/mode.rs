//! What a module is instrumented for.

/// What a module is instrumented for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// To record what its heap does.
    #[non_exhaustive]
    Record {
        /// Lets the Nth allocation (counted from 1) return NULL.
        fail_alloc: Option<u64>,
    },
}

impl Default for Mode {
    fn default() -> Mode {
        Mode::record(None)
    }
}

impl Mode {
    /// To record what the heap does, and to let the Nth allocation (counted from 1) return NULL.
    pub fn record(fail_alloc: Option<u64>) -> Mode {
        Mode::Record { fail_alloc }
    }

    pub(super) fn fail_alloc(&self) -> Option<u64> {
        match self {
            Mode::Record { fail_alloc } => *fail_alloc,
        }
    }
}
