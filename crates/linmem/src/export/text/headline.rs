//! The headline: the verdict in one line, and how the program ended.

use std::fmt::{self, Write};

use super::summary::held_text;
use super::{GREEN, RED, Text, YELLOW, calls_table};
use crate::report::{AskedBy, Code, EndReport, Held, MemoryReport, Report, Sentence, Severity};
use crate::units::{escape, number_of, times};

impl Text {
    /// The verdict.
    pub(super) fn headline(&mut self, report: &Report) -> fmt::Result {
        let (style, verdict) = verdict(report);
        let verdict = self.styled(style, &verdict);
        match report.program.as_str() {
            "" => writeln!(self.out, "linmem: {verdict}")?,
            program => writeln!(self.out, "linmem: {}: {verdict}", escape(program))?,
        }
        for repeats in &report.repeats {
            writeln!(self.out, "{}", calls_table::verdict(repeats))?;
        }
        if report.truncated {
            writeln!(self.out, "{}", Sentence::RecordingStops.text())?;
        }
        Ok(())
    }

    /// How the program ended, unless it returned without an error.
    pub(super) fn end(&mut self, report: &Report) -> fmt::Result {
        match &report.end {
            Some(EndReport::Trap { message, stack }) => {
                let trapped = Sentence::ProgramTrapped.with([&escape(message)]);
                writeln!(self.out, "\n{trapped}")?;
                if stack.is_empty() { Ok(()) } else { self.stack(stack) }
            }
            Some(EndReport::Exit { code }) if *code != 0 => {
                writeln!(self.out, "{}", Sentence::ExitedWith.with([&code.to_string()]))
            }
            _ => Ok(()),
        }
    }
}

fn verdict(report: &Report) -> (anstyle::Style, String) {
    let number_of_alike = |severity| report.alike(severity).len();
    let (errors, warnings) = (number_of_alike(Severity::Error), number_of_alike(Severity::Warning));
    if errors > 0 {
        (RED, format!("{}{}", number_of(errors, "error"), also(warnings, "warning")))
    } else if matches!(report.end, Some(EndReport::Trap { .. })) {
        (RED, Sentence::Trapped.text().to_owned() + &also(warnings, "warning"))
    } else if warnings > 0 {
        (YELLOW, number_of(warnings, "warning"))
    } else if report.findings.iter().any(|finding| finding.code == Code::AllocationsUnseen) {
        (YELLOW, Sentence::NotAllSeen.with([]))
    } else if let Some(reason) = report.memories.iter().find_map(MemoryReport::not_judged) {
        (YELLOW, Sentence::LeaksNotJudged.with([reason]))
    } else if !ran(report) && was_refused(report) {
        (YELLOW, Sentence::NoInstance.with([]))
    } else if !ran(report) {
        (YELLOW, Sentence::NothingRan.with([]))
    } else if report.instances.iter().all(|instance| instance.coverage.hooked.is_empty()) {
        (YELLOW, Sentence::NoAllocatorFunction.with([]))
    } else if !report.sees_blocks() {
        (YELLOW, Sentence::NoAllocation.with([]))
    } else if report.findings.iter().any(|finding| finding.code == Code::AccessesUnchecked) {
        (YELLOW, Sentence::NothingWrongUnchecked.with([]))
    } else if let functions @ 1.. = functions_unchecked(report) {
        (YELLOW, Sentence::NothingWrongPartlyChecked.with([&number_of(functions, "function")]))
    } else if let Some(growths) = growths_unseen(report) {
        (YELLOW, Sentence::GrewUnseen.with([&times(growths)]))
    } else {
        match (left_to_finalizers(report), held_by_threads(report)) {
            (_, held @ 1..) => {
                (YELLOW, Sentence::NothingWrongButHeld.with([&number_of(held, "block")]))
            }
            (0, _) => match kept_by_calls(report) {
                Held { blocks: 0, .. } => (GREEN, Sentence::NothingWrong.with([])),
                kept => (GREEN, Sentence::NothingWrongButKept.with([&held_text(kept)])),
            },
            (left, _) => (GREEN, Sentence::NothingWrongBut.with([&number_of(left, "object")])),
        }
    }
}

/// How many functions were not checked where others were.
fn functions_unchecked(report: &Report) -> u64 {
    let findings = report.findings.iter().filter(|f| f.code == Code::FunctionsUnchecked);
    findings.filter_map(|finding| finding.numbers.get("functions")).sum()
}

/// How often a memory grew for other code than the allocator that is hooked, where that leads past it: such code may
/// well be another allocator. `None` if that did not happen.
fn growths_unseen(report: &Report) -> Option<u64> {
    let growths = report.memories.iter().map(|memory| {
        let mut users = memory.users.iter().filter_map(|&user| report.instances.get(user));
        if users.all(|user| user.coverage.unseen.is_empty()) {
            return 0;
        }
        let log = memory.growth.log.iter();
        log.filter(|growth| growth.asked_by == AskedBy::Program && growth.pages_after.is_some())
            .count() as u64
    });
    Some(growths.sum()).filter(|growths| *growths > 0)
}

/// Blocks that calls go on to keep: not wrong, but often what people look for.
fn kept_by_calls(report: &Report) -> Held {
    let kept = report.findings.iter().filter(|finding| finding.code == Code::KeptByCalls);
    kept.fold(Held::default(), |mut sum, finding| {
        let number = |name| finding.numbers.get(name).copied().unwrap_or_default();
        sum += Held { blocks: number("blocks"), bytes: number("bytes") };
        sum
    })
}

/// Blocks that are not judged, since locals of other threads may point to them.
fn held_by_threads(report: &Report) -> u64 {
    report.memories.iter().map(|memory| memory.leaks.thread_held.blocks).sum()
}

/// Objects that are left to finalizers: not wrong, but often what people look for.
fn left_to_finalizers(report: &Report) -> u64 {
    let left = report.findings.iter().filter(|finding| finding.code == Code::WaitsForFinalizer);
    left.filter_map(|finding| finding.numbers.get("objects")).sum()
}

/// Whether an instance could not be made.
fn was_refused(report: &Report) -> bool {
    report.findings.iter().any(|finding| finding.code == Code::NotInstantiated)
}

/// Whether anything ran except initialisation. A host that says where it made an instance does not say
/// what it called.
fn ran(report: &Report) -> bool {
    report.instances.iter().any(|instance| {
        let mut calls = instance.calls.iter();
        instance.created.is_some() || calls.any(|(export, _)| export != "_initialize")
    })
}

fn also(number: usize, noun: &str) -> String {
    if number == 0 { String::new() } else { format!(", {}", number_of(number, noun)) }
}
