//! What a report says of a call that was repeated.

use serde::{Deserialize, Serialize};

use super::{Code, Finding, Held, Remedy, Totals};

/// Repeated calls of one export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Repeats {
    /// What was called.
    pub export: String,
    /// How many calls returned.
    pub calls: u64,
    /// Allocations for these calls, and in them.
    pub allocations: u64,
    /// Whether memory came to rest: pages and live bytes, or pages alone where not all blocks were seen.
    pub verdict: Verdict,
    /// The verdict on pages alone.
    #[serde(skip, default = "too_few")]
    pub(crate) of_pages: Verdict,
    /// Whether all blocks were seen.
    #[serde(default = "yes")]
    pub sees_blocks: bool,
    /// Why the next call failed, if it did.
    pub failure: Option<String>,
    /// The state before the first call.
    pub before: AfterCall,
    /// The state after each call; of very many different ones, the first and the last.
    pub rows: Vec<RepeatsRow>,
}

fn too_few() -> Verdict {
    Verdict::TooFew
}

fn yes() -> bool {
    true
}

impl Repeats {
    /// The same where not all blocks were seen: what is known of these proves nothing.
    pub(super) fn by_pages_alone(mut self) -> Repeats {
        self.verdict = self.of_pages;
        self.sees_blocks = false;
        self
    }

    /// Why these calls do not show that memory comes to rest: it does not, there were too few of
    /// them, or they allocated nothing, so that there was nothing to see. `None` if all is well.
    pub fn problem(&self) -> Option<String> {
        if let Some(finding) = self.finding() {
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

    /// A repeated call that keeps growing, or fails, is an error.
    pub(crate) fn finding(&self) -> Option<Finding> {
        let export = &self.export;
        let finding = match self.verdict {
            Verdict::TooFew | Verdict::Steady { .. } => return None,
            Verdict::Growing { live_bytes_per_call, pages_per_call } => Finding::new(
                Code::KeepsGrowing,
            )
            .message(format!(
                "{} calls of {export}, and still growing: {} with each",
                self.calls,
                growth(live_bytes_per_call, pages_per_call),
            ))
            .advice(if live_bytes_per_call > 0.0 {
                "See which blocks are left, and free them; memory that only the allocator \
                         holds on to comes to rest with more calls."
            } else {
                "See what grew the memory: what only the allocator holds on to comes to rest \
                         with more calls."
            })
            .remedy(Remedy::MoreCalls),
            Verdict::Failing { at_call } => Finding::new(Code::CallFailed)
                .message(format!(
                    "call {at_call} of {export} failed: {}",
                    self.failure.as_deref().unwrap_or_default()
                ))
                .advice("See the calls before it, and how large the memory may become."),
        };
        Some(finding.number("calls", self.calls))
    }
}

/// The parts that grow, as in `7 live bytes and 0.125 pages`.
fn growth(live_bytes: f64, pages: f64) -> String {
    let parts = [(live_bytes, "live bytes"), (pages, "pages")];
    let growing = parts.iter().filter(|(number, _)| *number > 0.0);
    // Up to three digits behind the point, without zeros at the end.
    let rounded = |number: f64| (number * 1000.0).round() / 1000.0;
    let parts: Vec<String> =
        growing.map(|(number, unit)| format!("{} {unit}", rounded(*number))).collect();
    if parts.is_empty() {
        "more at times".to_owned()
    } else {
        format!("{} more", parts.join(" and "))
    }
}

/// Whether memory and live bytes came to rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
#[non_exhaustive]
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
#[non_exhaustive]
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
#[non_exhaustive]
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

impl AfterCall {
    /// The state after a call: the size of the memory, and the figures of the heap before the call and
    /// now.
    pub fn new(pages: Witnesses, before: &Totals, now: &Totals) -> AfterCall {
        let made = |totals: &Totals| totals.allocations + totals.reallocations;
        AfterCall {
            pages,
            live_bytes: now.at_end.bytes,
            allocated: Held {
                blocks: made(now) - made(before),
                bytes: now.allocated_bytes - before.allocated_bytes,
            },
            freed_blocks: now.frees - before.frees,
            ..AfterCall::default()
        }
    }
}

/// The size of a memory in pages, as told by three witnesses that can know it. They agree, or an
/// engine is broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Witnesses {
    /// The length of the host's view.
    pub host_view: u64,
    /// What the host's growing by nothing returns.
    pub grow_zero: u64,
    /// What `memory.size` returns, executed inside the module.
    pub memory_size: u64,
}

impl Witnesses {
    /// What each of them says, in pages.
    pub fn new(host_view: u64, grow_zero: u64, memory_size: u64) -> Witnesses {
        Witnesses { host_view, grow_zero, memory_size }
    }
}
