//! The profile: every call stack that allocates, with all its weights.

use super::{Held, Stack, StackFrame, Totals};

/// Where all allocations of a recording come from. Each frame and each stack stands in it once; its
/// size depends on the number of distinct stacks, not on the length of the recording.
///
/// *Total* counts from the start to the end. *At peak* is the first instant at which the live bytes of
/// the site's memory were at their highest. *At end* is the last event. Sizes are in bytes, and
/// lifetimes in allocations made meanwhile. The sums over the sites of a memory are its
/// [`totals`](ProfiledMemory::totals).
///
/// ```
/// # let trace = linmem::Trace::from_bytes(b"linmem\0\x01\x0b\x00".to_vec());
/// let mut analysis = linmem::Analysis::default();
/// analysis.push(trace.as_bytes())?;
/// let profile = analysis.finish().profile()?;
/// for site in &profile.sites {
///     let at = profile.frames_of(site).next().map_or("?", |frame| &frame.function);
///     println!("{} bytes in {} blocks at {at}", site.total.bytes, site.total.blocks);
/// }
/// # Ok::<(), linmem::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Profile {
    /// The frames, each once.
    pub frames: Vec<StackFrame>,
    /// The stacks, each once: indices in [`frames`](Profile::frames), innermost first. An empty one
    /// was not taken.
    pub stacks: Vec<Vec<usize>>,
    /// The sites, memory by memory.
    pub sites: Vec<Site>,
    /// The memories, in the order of [`Report::memories`](super::Report::memories).
    pub memories: Vec<ProfiledMemory>,
}

/// One call stack that allocates in one memory. Stacks that look the same to people are one site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// Index of its memory in [`Profile::memories`].
    pub memory: usize,
    /// Index of its stack in [`Profile::stacks`].
    pub stack: usize,
    /// Successful allocations and reallocations, and the bytes that they asked for.
    pub total: Held,
    /// Its blocks at the peak of its memory's heap.
    pub at_peak: Held,
    /// Its blocks at the end.
    pub at_end: Held,
    /// Blocks freed before any other allocation was made.
    pub temporary: u64,
    /// Sum of the lifetimes of its blocks; blocks that are still alive count to the end.
    pub lifetimes: u64,
}

/// What a profile says of a memory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfiledMemory {
    /// Names of the modules whose instances use it.
    pub modules: Vec<String>,
    /// Its figures.
    pub totals: Totals,
}

impl Profile {
    /// The frames of a site, innermost first.
    pub fn frames_of(&self, site: &Site) -> impl Iterator<Item = &StackFrame> + '_ {
        self.stacks[site.stack].iter().map(|&frame| &self.frames[frame])
    }

    /// The stack of a site.
    pub(crate) fn stack_of(&self, site: &Site) -> Stack {
        self.frames_of(site).cloned().collect()
    }

    /// The sites of a memory.
    pub fn sites_of(&self, memory: usize) -> impl Iterator<Item = &Site> + '_ {
        let start = self.sites.partition_point(|site| site.memory < memory);
        self.sites[start..].iter().take_while(move |site| site.memory == memory)
    }
}

impl Site {
    /// Mean lifetime of its blocks, in allocations made meanwhile, rounded down.
    pub fn mean_lifetime(&self) -> u64 {
        self.lifetimes / self.total.blocks.max(1)
    }
}
