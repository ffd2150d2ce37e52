//! The call stacks that grew the memory.

use std::fmt::{self, Write};

use super::Text;
use crate::report::{GrowthEntry, GrowthReport, Sentence};
use crate::units::{bytes, count, number_of, pages};

impl Text {
    /// The places that grew the memory most.
    pub(super) fn growth(&mut self, growth: &GrowthReport) -> fmt::Result {
        const SITES: usize = 3;
        if growth.sites.is_empty() {
            return Ok(());
        }
        self.title("grown by")?;
        for (index, site) in growth.sites.iter().enumerate().take(SITES) {
            let here = || growth.log.iter().filter(|entry| entry.site == index);
            let refused = here().filter(|entry| entry.pages_after.is_none()).count();
            let succeeded = match site.growths {
                0 => String::new(),
                1 => Sentence::OneGrowth.with([&pages(site.pages)]),
                growths => {
                    Sentence::Growths.with([&number_of(growths, "growth"), &pages(site.pages)])
                }
            };
            let refused = match (refused, site.growths) {
                (0, _) => String::new(),
                (refused, 0) => Sentence::Refused.with([&number_of(refused, "growth")]),
                (refused, _) => {
                    format!(", {}", Sentence::Refused.with([&count(refused as u64)]))
                }
            };
            let first = here().next().map(growth_text).unwrap_or_default();
            writeln!(self.out, "  {succeeded}{refused}; first {first}")?;
            self.stack(&site.stack)?;
        }
        match growth.sites.len().checked_sub(SITES + 1) {
            None => Ok(()),
            Some(more) => writeln!(self.out, "  … and from {}", number_of(more + 1, "more place")),
        }
    }
}

fn growth_text(entry: &GrowthEntry) -> String {
    let to = match entry.pages_after {
        Some(after) => Sentence::FromTo.with([&count(entry.pages_before), &pages(after)]),
        None => Sentence::FromRefused.with([&pages(entry.pages_before)]),
    };
    let live = bytes(entry.live_bytes);
    match entry.request {
        Some(size) => Sentence::ForAllocation.with([&to, &bytes(size), &live]),
        None => Sentence::WithLive.with([&to, &live]),
    }
}
