//! What was done in one memory, or in several.

use std::cmp::Reverse;
use std::fmt::{self, Write};

use super::{BOLD, Text, exports_table, hooked, memories_table};
use crate::report::{
    Coverage, Extent, Held, InstanceReport, MemoryReport, Report, Sentence, Trend,
};
use crate::units::{bytes, count, escape, number_of, pages, ranges};

impl Text {
    /// All memories in a table, and the one in which most was allocated in full.
    pub(super) fn memories(&mut self, report: &Report) -> fmt::Result {
        write!(self.out, "\n{}", memories_table::table(report))?;
        let memories = &report.memories;
        // The first one of several that are alike.
        let busiest = (0..memories.len())
            .max_by_key(|&number| (memories[number].totals.allocated_bytes, Reverse(number)));
        let Some(memory) = busiest.map(|number| &memories[number]) else { return Ok(()) };
        let names = escape(&report.modules_of(memory).join(", "));
        let users = ranges(&memory.users);
        self.title(&match memory.users.len() {
            1 => format!("instance {users} of {names}, which allocated most"),
            _ => format!(
                "instances {users} of {names}, which share the memory with most allocations"
            ),
        })?;
        self.memory(report, memory)
    }

    /// One memory in full.
    pub(super) fn memory(&mut self, report: &Report, memory: &MemoryReport) -> fmt::Result {
        let totals = &memory.totals;
        if !saw_blocks(report, memory) {
            self.row("heap", Sentence::HeapNotWatched.text())?;
            return self.memory_itself(report, memory);
        }
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
        self.row("blocks left", &self.blocks_left(memory))?;
        self.memory_itself(report, memory)
    }

    /// Its size, its growth, and what is hooked.
    fn memory_itself(&mut self, report: &Report, memory: &MemoryReport) -> fmt::Result {
        self.row("memory", &size_of(memory))?;
        self.growth(&memory.growth)?;
        if !memory.exports.is_empty() {
            self.title("kept by")?;
            write!(self.out, "{}", exports_table::table(&memory.exports))?;
        }
        self.hot_sites(memory)?;
        let mut shown: Vec<&str> = Vec::new();
        for instance in memory.users.iter().filter_map(|&user| report.instances.get(user)) {
            if !shown.contains(&&*instance.module) {
                shown.push(&instance.module);
                self.coverage(instance)?;
            }
        }
        Ok(())
    }

    /// One line of the summary; the first stands apart from what is above.
    fn row(&mut self, label: &str, value: &str) -> fmt::Result {
        if label == "heap" {
            writeln!(self.out)?;
        }
        let label = self.styled(BOLD, &format!("{label:<12}"));
        writeln!(self.out, "{label} {value}")
    }

    fn blocks_left(&self, memory: &MemoryReport) -> String {
        let leaks = &memory.leaks;
        if let Some(reason) = &leaks.not_judged {
            return Sentence::NotJudged.with([reason]);
        }
        let kinds = [
            (Sentence::DefinitelyLost, leaks.definite),
            (Sentence::IndirectlyLost, leaks.indirect),
            (Sentence::PossiblyLost, leaks.possible),
            (Sentence::HeldByHost, leaks.host_held),
            (Sentence::LeftToFinalizers, leaks.finalizer_held),
            (Sentence::PerhapsHeldByThreads, leaks.thread_held),
            (Sentence::Reachable, leaks.reachable),
            (Sentence::OfStartUp, leaks.runtime),
        ];
        let present: Vec<String> = kinds
            .iter()
            .filter(|(_, held)| held.blocks > 0)
            .map(|(kind, held)| kind.with([&held_text(*held)]))
            .collect();
        if present.is_empty() { Sentence::NoneLeft.with([]) } else { present.join(", ") }
    }

    fn coverage(&mut self, instance: &InstanceReport) -> fmt::Result {
        self.title("hooked")?;
        write!(self.out, "{}", hooked(&instance.coverage, self.options.words))?;
        if instance.other_memories > 0 {
            let others = number_of(instance.other_memories, "other memory");
            writeln!(self.out, "  {}", Sentence::OnlyMemoryZero.with([&others]))?;
        }
        if let Some(why) = instance.source_lines.why_none() {
            writeln!(self.out, "  {}", Sentence::NoSourceLines.with([why]))?;
        }
        Ok(())
    }
}

/// Whether blocks were seen in a memory, or there can have been none.
fn saw_blocks(report: &Report, memory: &MemoryReport) -> bool {
    let totals = &memory.totals;
    let users = memory.users.iter().filter_map(|&user| report.instances.get(user));
    [totals.allocations, totals.reallocations, totals.frees].iter().any(|&events| events > 0)
        || users.map(|user| &user.coverage).any(Coverage::is_whole)
}

fn size_of(memory: &MemoryReport) -> String {
    let growth = &memory.growth;
    let max = match memory.max_pages {
        Some(max) => Sentence::AtMost.with([&pages(max)]),
        None => Sentence::NoMaximum.with([]),
    };
    let trend = match growth.trend {
        Trend::NeverGrew => Sentence::NeverGrew.with([]),
        // Without allocations there is nothing to say when it last grew.
        Trend::Steady { of_allocations: 0, .. } | Trend::Growing { of_allocations: 0, .. } => {
            Sentence::Grew.with([&number_of(growth.growths, "time")])
        }
        Trend::Steady { after_allocations, of_allocations } => Sentence::SteadySince.with([
            &number_of(growth.growths, "time"),
            &count(after_allocations),
            &count(of_allocations),
        ]),
        Trend::Growing { after_allocations, of_allocations } => Sentence::LastGrew.with([
            &number_of(growth.growths, "time"),
            &count(after_allocations),
            &count(of_allocations),
        ]),
    };
    let (start, end) = (pages(memory.initial_pages), count(memory.totals.at_end.pages));
    format!("{}; {trend}", Sentence::StartAndEnd.with([&start, &end, &max]))
}

fn extent(extent: &Extent) -> String {
    let slack = extent.pages.saturating_mul(crate::module::PAGE_BYTES).saturating_sub(extent.bytes);
    Sentence::AtThatTime.with([
        &bytes(extent.bytes),
        &number_of(extent.blocks, "block"),
        &pages(extent.pages),
        &bytes(slack),
    ])
}

pub(super) fn held_text(held: Held) -> String {
    format!("{} in {}", bytes(held.bytes), number_of(held.blocks, "block"))
}
