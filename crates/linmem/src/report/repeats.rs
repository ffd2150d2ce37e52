//! What a report says of a call that was repeated.

use serde::{Deserialize, Serialize};

use crate::replay::heap::Held;

/// Repeated calls of one export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeats {
    /// What was called.
    pub export: String,
    /// How many calls returned.
    pub calls: u64,
    /// Allocations for these calls, and in them.
    pub allocations: u64,
    /// Whether memory came to rest.
    pub verdict: Verdict,
    /// Why the next call failed, if it did.
    pub failure: Option<String>,
    /// The state before the first call.
    pub before: AfterCall,
    /// The state after each call; of very many different ones, the first and the last.
    pub rows: Vec<RepeatsRow>,
}

impl Repeats {
    /// Why these calls do not show that memory comes to rest: it does not, there were too few of
    /// them, or they allocated nothing, so that there was nothing to see. `None` if all is well.
    pub fn problem(&self) -> Option<String> {
        if let Some(finding) = crate::analyze::repeats::finding(self) {
            return Some(finding.message);
        }
        let (calls, of) = (self.calls, &self.export);
        match self.verdict {
            Verdict::TooFew => Some(format!("{calls} calls of {of} are too few to tell")),
            _ if self.allocations == 0 => Some(format!(
                "{calls} calls of {of} allocated nothing in this instance, so nothing was tested: did \
                 the work run in another instance, or has it not run yet?"
            )),
            _ => None,
        }
    }
}

/// Whether memory and live bytes came to rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Verdict {
    /// There were too few calls to tell.
    TooFew,
    /// Neither pages nor live bytes rose above what they had been in the first half of the calls.
    Steady {
        /// The last call with a rise; 0 when there was none.
        after_call: u64,
    },
    /// They did.
    Growing {
        /// Growth of the live bytes with each call, over the second half.
        live_bytes_per_call: f64,
        /// Growth of the memory with each call, over the second half.
        pages_per_call: f64,
    },
    /// A call failed.
    Failing {
        /// Its number, counted from 1.
        at_call: u64,
    },
}

/// Calls, one after the other, after which everything was the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatsRow {
    /// Number of the first one, counted from 1.
    pub first_call: u64,
    /// Number of the last one.
    pub last_call: u64,
    /// What was the same.
    pub after: AfterCall,
}

/// What is known when a call is over, and what the host passed in for it has been freed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AfterCall {
    /// The size of the memory.
    pub pages: Witnesses,
    /// Live bytes.
    pub live_bytes: u64,
    /// What was allocated for the call, and in it.
    pub allocated: Held,
    /// How many blocks were freed in it and after it.
    pub freed_blocks: u64,
    /// Where the texts were that the host passed in.
    pub texts_at: Vec<u64>,
    /// What came back.
    pub result: String,
}

/// The size of a memory in pages, as told by three who can know it. They agree, or an engine is
/// broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witnesses {
    /// The length of the host's view.
    pub host_view: u64,
    /// What the host's growing by nothing returns.
    pub grow_zero: u64,
    /// What `memory.size` returns, executed inside of the module.
    pub memory_size: u64,
}

impl Witnesses {
    /// Whether they all say the same.
    pub fn agree(&self) -> bool {
        self.host_view == self.grow_zero && self.grow_zero == self.memory_size
    }
}
