//! What one instance did, or several.

use std::fmt::{self, Write};

use super::{BOLD, Text, hooked, instances_table};
use crate::report::{Extent, Held, InstanceReport, Trend};
use crate::units::{bytes, count, escape, number_of, pages};

impl Text {
    /// All instances in a table, and the one that allocated most in full.
    pub(super) fn instances(&mut self, instances: &[InstanceReport]) -> fmt::Result {
        write!(self.out, "\n{}", instances_table::table(instances))?;
        let busiest = (0..instances.len()).max_by_key(|&number| {
            // The first one of several that are alike.
            (instances[number].totals.allocated_bytes, std::cmp::Reverse(number))
        });
        let Some(number) = busiest else { return Ok(()) };
        let name = escape(&instances[number].module);
        self.title(&format!("instance {number} of {name}, which allocated most"))?;
        self.instance(&instances[number])
    }

    /// One instance in full.
    pub(super) fn instance(&mut self, instance: &InstanceReport) -> fmt::Result {
        let totals = &instance.totals;
        self.row(
            "heap",
            &format!(
                "{} ({}), {}, {}, {} failed",
                number_of(totals.allocations, "allocation"),
                bytes(totals.allocated_bytes),
                number_of(totals.reallocations, "reallocation"),
                number_of(totals.frees, "free"),
                count(totals.failed),
            ),
        )?;
        self.row("at peak", &extent(&totals.at_peak))?;
        self.row("at end", &extent(&totals.at_end))?;
        self.row("blocks left", &self.blocks_left(instance))?;
        self.row("memory", &memory(instance))?;
        self.growth(&instance.growth)?;
        self.hot_sites(instance)?;
        self.coverage(instance)
    }

    /// One line of the summary; the first stands apart from what is above.
    fn row(&mut self, label: &str, value: &str) -> fmt::Result {
        if label == "heap" {
            writeln!(self.out)?;
        }
        let label = self.styled(BOLD, &format!("{label:<12}"));
        writeln!(self.out, "{label} {value}")
    }

    fn blocks_left(&self, instance: &InstanceReport) -> String {
        let leaks = &instance.leaks;
        if let Some(reason) = &leaks.not_judged {
            return format!("not judged: {reason}");
        }
        let kinds = [
            ("definitely lost", leaks.definite),
            ("indirectly lost", leaks.indirect),
            ("possibly lost", leaks.possible),
            ("held by the host", leaks.host_held),
            ("reachable", leaks.reachable),
            ("of the runtime's start-up", leaks.runtime),
        ];
        let present: Vec<String> = kinds
            .iter()
            .filter(|(_, held)| held.blocks > 0)
            .map(|(label, held)| format!("{} {label}", held_text(*held)))
            .collect();
        if present.is_empty() { "none".to_owned() } else { present.join(", ") }
    }

    fn coverage(&mut self, instance: &InstanceReport) -> fmt::Result {
        self.title("hooked")?;
        write!(self.out, "{}", hooked(&instance.coverage, self.options.words))?;
        if instance.other_memories > 0 {
            let others = number_of(instance.other_memories, "other memory");
            writeln!(self.out, "  only memory 0 is watched; the module has {others}")?;
        }
        if !instance.has_lines {
            writeln!(self.out, "  no source lines: the module has no debug information (-g)")?;
        }
        Ok(())
    }
}

fn memory(instance: &InstanceReport) -> String {
    let growth = &instance.growth;
    let max = match instance.max_pages {
        Some(max) => format!("{} at most", pages(max)),
        None => "no maximum".to_owned(),
    };
    let trend = match growth.trend {
        Trend::NeverGrew => "never grew".to_owned(),
        Trend::Steady { after_allocations, of_allocations } => format!(
            "grew {}, steady since allocation {} of {}",
            number_of(growth.growths, "time"),
            count(after_allocations),
            count(of_allocations),
        ),
        Trend::Growing { after_allocations, of_allocations } => format!(
            "grew {}, the last time after allocation {} of {}",
            number_of(growth.growths, "time"),
            count(after_allocations),
            count(of_allocations),
        ),
    };
    format!(
        "{} at start, {} at end, {max}; {trend}",
        pages(instance.initial_pages),
        count(instance.totals.at_end.pages),
    )
}

fn extent(extent: &Extent) -> String {
    let slack = extent.pages.saturating_mul(crate::module::PAGE_BYTES).saturating_sub(extent.bytes);
    format!(
        "{} in {}; {}, slack {}",
        bytes(extent.bytes),
        number_of(extent.blocks, "block"),
        pages(extent.pages),
        bytes(slack),
    )
}

pub(super) fn held_text(held: Held) -> String {
    format!("{} in {}", bytes(held.bytes), number_of(held.blocks, "block"))
}
