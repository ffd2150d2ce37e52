//! The hot sites, list by list.

use std::fmt::{self, Write};

use super::stack_lines::one_line;
use super::summary::held_text;
use super::{DIM, Text};
use crate::report::{HotSite, MemoryReport};
use crate::units::{bytes, count, number_of};

impl Text {
    /// All lists that are not empty.
    pub(super) fn hot_sites(&mut self, memory: &MemoryReport) -> fmt::Result {
        let hot = &memory.hot_sites;
        let of = |part: u64, whole: u64| match whole {
            0 => String::new(),
            _ => format!(" ({:.0}%)", 100.0 * part as f64 / whole as f64),
        };
        let totals = &memory.totals;
        let all = totals.allocations.saturating_add(totals.reallocations);
        self.category("most allocations", &hot.allocations, |site| {
            format!("{}{}", number_of(site.allocations, "allocation"), of(site.allocations, all))
        })?;
        self.category("most bytes", &hot.bytes, |site| {
            format!("{}{}", bytes(site.bytes), of(site.bytes, totals.allocated_bytes))
        })?;
        self.category("most bytes at peak", &hot.at_peak, |site| {
            let share = of(site.at_peak.bytes, totals.at_peak.bytes);
            format!("{}{share}", held_text(site.at_peak))
        })?;
        self.category("most temporary", &hot.temporary, |site| {
            format!(
                "{} of {} freed before the next allocation",
                count(site.temporary),
                number_of(site.allocations, "block")
            )
        })?;
        self.category("longest-lived", &hot.longest_lived, |site| {
            format!(
                "{} that lived through {} on average",
                number_of(site.allocations, "block"),
                number_of(site.mean_lifetime, "allocation")
            )
        })
    }

    fn category(
        &mut self,
        title: &str,
        sites: &[HotSite],
        text: impl Fn(&HotSite) -> String,
    ) -> fmt::Result {
        if sites.is_empty() {
            return Ok(());
        }
        self.title(title)?;
        for site in sites {
            writeln!(self.out, "  {}", text(site))?;
            writeln!(self.out, "    {}", self.styled(DIM, &one_line(&site.stack)))?;
        }
        Ok(())
    }
}
