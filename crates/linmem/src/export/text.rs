//! The report as text for a terminal: the answer first, then the evidence.

mod instances;
mod repeats;
mod table;

use std::fmt::{self, Write};

use crate::language::is_library;
use crate::replay::heap::{Extent, Held};
use crate::report::{
    EndReport, Finding, GrowthReport, HotSite, InstanceReport, LabelledStack, Report, Severity,
    StackFrame, Trend,
};
use crate::units::{bytes, count, escape, number_of, pages};

/// How to write it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Use ANSI colours.
    pub color: bool,
    /// Findings to show of each severity.
    pub findings: usize,
    /// Frames to show of each stack.
    pub frames: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { color: false, findings: 20, frames: 16 }
    }
}

/// The whole report.
pub fn to_string(report: &Report, options: Options) -> String {
    let mut text = Text { out: String::new(), options };
    // Writing to a string cannot fail.
    let _ = text.report(report);
    text.out
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_string(self, Options::default()))
    }
}

struct Text {
    out: String,
    options: Options,
}

type Result = std::fmt::Result;

/// Columns that the answer is wrapped to.
const ANSWER_WIDTH: usize = 96;

const BOLD: anstyle::Style = anstyle::Style::new().bold();
const DIM: anstyle::Style = anstyle::Style::new().dimmed();
const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
const YELLOW: anstyle::Style = anstyle::AnsiColor::Yellow.on_default().bold();
const CYAN: anstyle::Style = anstyle::AnsiColor::Cyan.on_default().bold();
const GREEN: anstyle::Style = anstyle::AnsiColor::Green.on_default().bold();

impl Text {
    fn report(&mut self, report: &Report) -> Result {
        self.headline(report)?;
        if let Some(answer) = &report.answer {
            writeln!(self.out, "\n{}", textwrap::fill(&escape(answer), ANSWER_WIDTH))?;
        }
        self.end(report)?;
        if let Some(repeats) = &report.repeats {
            write!(self.out, "\n{}", repeats::table(repeats))?;
        }
        for severity in [Severity::Error, Severity::Warning, Severity::Note] {
            let of_severity: Vec<&Finding> =
                report.findings.iter().filter(|f| f.severity == severity).collect();
            for finding in of_severity.iter().take(self.options.findings) {
                self.finding(finding, report.instances.len() > 1)?;
            }
            if let Some(hidden) = of_severity.len().checked_sub(self.options.findings + 1) {
                writeln!(self.out, "\n… and {} more like these", count(hidden as u64 + 1))?;
            }
        }
        for note in &report.notes {
            let label = self.styled(CYAN, "note");
            writeln!(self.out, "\n{label}: {}", escape(note))?;
        }
        match report.instances.as_slice() {
            [only] => self.instance(only),
            several => self.instances(several),
        }
    }

    /// All instances in a table, and the one that allocated most in full.
    fn instances(&mut self, instances: &[InstanceReport]) -> Result {
        write!(self.out, "\n{}", instances::table(instances))?;
        let busiest = (0..instances.len()).max_by_key(|&number| {
            // The first one of several that are alike.
            (instances[number].totals.allocated_bytes, std::cmp::Reverse(number))
        });
        let Some(number) = busiest else { return Ok(()) };
        let name = escape(&instances[number].module);
        self.title(&format!("instance {number} of {name}, which allocated most"))?;
        self.instance(&instances[number])
    }

    /// The answer: one line.
    fn headline(&mut self, report: &Report) -> Result {
        let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
        let program = escape(&report.program);
        let watched = report.instances.iter().any(|instance| !instance.coverage.hooked.is_empty());
        let calls = report.instances.iter().flat_map(|instance| &instance.calls);
        // A host that says where it made an instance does not say what it called.
        let ran = calls.filter(|(export, _)| export != "_initialize").count() > 0
            || report.instances.iter().any(|instance| instance.created.is_some());
        let (style, verdict) = if errors > 0 {
            (RED, format!("{}{}", number_of(errors, "error"), also(warnings, "warning")))
        } else if matches!(report.end, Some(EndReport::Trap { .. })) {
            (RED, format!("trapped{}", also(warnings, "warning")))
        } else if warnings > 0 {
            (YELLOW, number_of(warnings, "warning"))
        } else if !ran {
            let reason = "nothing ran but its initialisation, as it has no `_start`";
            (YELLOW, reason.to_owned())
        } else if !watched {
            (YELLOW, "no allocator function was found, so only growth was watched".to_owned())
        } else {
            (GREEN, "nothing wrong found".to_owned())
        };
        let verdict = self.styled(style, &verdict);
        writeln!(self.out, "linmem: {program}: {verdict}")?;
        if let Some(repeats) = &report.repeats {
            writeln!(self.out, "{}", repeats::verdict(repeats))?;
        }
        if report.truncated {
            writeln!(self.out, "The recording stops before the program ended.")?;
        }
        Ok(())
    }

    fn end(&mut self, report: &Report) -> Result {
        match &report.end {
            Some(EndReport::Trap { message, stack }) => {
                writeln!(self.out, "\nThe program trapped: {}", escape(message))?;
                self.stack(stack)
            }
            Some(EndReport::Exit { code }) if *code != 0 => {
                writeln!(self.out, "The program exited with code {code}.")
            }
            _ => Ok(()),
        }
    }

    fn finding(&mut self, finding: &Finding, with_instance: bool) -> Result {
        let (style, severity) = match finding.severity {
            Severity::Error => (RED, "error"),
            Severity::Warning => (YELLOW, "warning"),
            Severity::Note => (CYAN, "note"),
        };
        let label = self.styled(style, &format!("{severity}[{}]", finding.code.name()));
        let message = self.styled(BOLD, &escape(&finding.message));
        let place = match with_instance {
            true => format!(" (instance {})", finding.instance),
            false => String::new(),
        };
        writeln!(self.out, "\n{label}: {message}{place}")?;
        for LabelledStack { label, stack } in &finding.stacks {
            writeln!(self.out, "  {label}:")?;
            self.stack(stack)?;
        }
        let advice = self.styled(DIM, &finding.advice);
        writeln!(self.out, "  {advice}")
    }

    fn stack(&mut self, stack: &[StackFrame]) -> Result {
        if stack.is_empty() {
            return writeln!(self.out, "    (the stack was not taken)");
        }
        let lines = lines_of(stack);
        let shown = &lines[..lines.len().min(self.options.frames)];
        let width = shown.iter().map(|line| line.name().chars().count()).max().unwrap_or(0);
        for line in shown {
            let place = self.styled(DIM, &line.place());
            let text = format!("    {:width$}  {place}", line.name(), width = width.min(40));
            writeln!(self.out, "{}", text.trim_end())?;
        }
        match lines.len() - shown.len() {
            0 => Ok(()),
            hidden => writeln!(self.out, "    … {} more", number_of(hidden, "frame")),
        }
    }

    fn instance(&mut self, instance: &InstanceReport) -> Result {
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
    fn row(&mut self, label: &str, value: &str) -> Result {
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

    fn growth(&mut self, growth: &GrowthReport) -> Result {
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
                growths => format!("{} by {}", number_of(growths, "growth"), pages(site.pages)),
            };
            let refused = match (refused, site.growths) {
                (0, _) => String::new(),
                (refused, 0) => format!("{} refused", number_of(refused, "growth")),
                (refused, _) => format!(", {} refused", count(refused as u64)),
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

    fn title(&mut self, title: &str) -> Result {
        let title = self.styled(BOLD, title);
        writeln!(self.out, "\n{title}")
    }

    fn hot_sites(&mut self, instance: &InstanceReport) -> Result {
        let hot = &instance.hot_sites;
        let of = |part: u64, whole: u64| match whole {
            0 => String::new(),
            _ => format!(" ({:.0}%)", 100.0 * part as f64 / whole as f64),
        };
        let totals = &instance.totals;
        let all = totals.allocations + totals.reallocations;
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
    ) -> Result {
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

    fn coverage(&mut self, instance: &InstanceReport) -> Result {
        self.title("hooked")?;
        write!(self.out, "{}", instance.coverage)?;
        if instance.other_memories > 0 {
            let others = number_of(instance.other_memories, "other memory");
            writeln!(self.out, "  only memory 0 is watched; the module has {others}")?;
        }
        if !instance.has_lines {
            writeln!(self.out, "  no source lines: the module has no debug information (-g)")?;
        }
        Ok(())
    }

    fn styled(&self, style: anstyle::Style, text: &str) -> String {
        if self.options.color && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// One line of a stack.
enum Line<'s> {
    Frame(&'s StackFrame),
    /// So many frames of the language's own libraries.
    Library(usize),
}

impl Line<'_> {
    fn name(&self) -> String {
        match self {
            Line::Frame(frame) if frame.inlined => format!("{} (inlined)", escape(&frame.function)),
            Line::Frame(frame) => escape(&frame.function),
            Line::Library(frames) => format!("… {}", number_of(*frames, "library frame")),
        }
    }

    fn place(&self) -> String {
        let Line::Frame(frame) = self else { return String::new() };
        match (&frame.file, frame.line, frame.offset) {
            (Some(file), Some(line), _) => format!("{}:{line}", escape(file)),
            (_, _, Some(offset)) => format!("offset {offset:#x}"),
            _ => String::new(),
        }
    }
}

/// The lines of a stack. Frames of the language's libraries are folded, but for the innermost
/// frame, unless there are no others.
fn lines_of(stack: &[StackFrame]) -> Vec<Line<'_>> {
    if stack.iter().skip(1).all(of_library) {
        return stack.iter().map(Line::Frame).collect();
    }
    let mut lines = Vec::new();
    for (index, frame) in stack.iter().enumerate() {
        let folded = index > 0 && of_library(frame);
        match lines.last_mut() {
            Some(Line::Library(frames)) if folded => *frames += 1,
            _ if folded => lines.push(Line::Library(1)),
            _ => lines.push(Line::Frame(frame)),
        }
    }
    lines
}

fn of_library(frame: &StackFrame) -> bool {
    is_library(&frame.function, frame.file.as_deref())
}

/// A stack in one line, as in `malloc ← make_item (main.c:12) ← main (main.c:30)`.
fn one_line(stack: &[StackFrame]) -> String {
    const FRAMES: usize = 4;
    if stack.is_empty() {
        return "(the stack was not taken)".to_owned();
    }
    let lines = lines_of(stack);
    let frames = lines.iter().filter_map(|line| match line {
        Line::Frame(frame) => Some(frame),
        Line::Library(_) => None,
    });
    let mut texts: Vec<String> = frames
        .map(|frame| match (&frame.file, frame.line) {
            (Some(file), Some(line)) => {
                let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
                format!("{} ({}:{line})", escape(&frame.function), escape(file))
            }
            _ => escape(&frame.function),
        })
        .collect();
    if texts.len() > FRAMES {
        texts.truncate(FRAMES);
        texts.push("…".to_owned());
    }
    texts.join(" ← ")
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

fn growth_text(entry: &crate::report::GrowthEntry) -> String {
    let to = match entry.pages_after {
        Some(after) => format!("from {} to {}", count(entry.pages_before), pages(after)),
        None => format!("from {} refused", pages(entry.pages_before)),
    };
    let request = match entry.request {
        Some(size) => format!(" for an allocation of {}", bytes(size)),
        None => String::new(),
    };
    format!("{to}{request}, with {} live", bytes(entry.live_bytes))
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

fn held_text(held: Held) -> String {
    format!("{} in {}", bytes(held.bytes), number_of(held.blocks, "block"))
}

fn also(number: usize, noun: &str) -> String {
    if number == 0 { String::new() } else { format!(", {}", number_of(number, noun)) }
}
