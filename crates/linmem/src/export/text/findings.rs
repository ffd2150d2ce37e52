//! The findings, worst first, and the recorder's notes.

use std::fmt::{self, Write};

use super::{BOLD, CYAN, DIM, RED, Text, YELLOW};
use crate::report::{Alike, Finding, Held, LabelledStack, Report, Sentence, Severity};
use crate::units::{bytes, count, escape, number_of, ranges};

impl Text {
    /// All findings and notes.
    pub(super) fn findings(&mut self, report: &Report) -> fmt::Result {
        for severity in [Severity::Error, Severity::Warning, Severity::Note] {
            let of_severity = report.alike(severity);
            for alike in of_severity.iter().take(self.options.findings) {
                self.finding(alike.finding, &sentence(report, alike))?;
            }
            if let Some(hidden) = of_severity.len().checked_sub(self.options.findings + 1) {
                writeln!(self.out, "\n… and {} more like these", count(hidden as u64 + 1))?;
            }
        }
        for note in &report.notes {
            let label = self.styled(CYAN, "note");
            writeln!(self.out, "\n{label}: {}", escape(note))?;
        }
        Ok(())
    }

    fn finding(&mut self, finding: &Finding, sentence: &str) -> fmt::Result {
        let (style, severity) = match finding.severity {
            Severity::Error => (RED, "error"),
            Severity::Warning => (YELLOW, "warning"),
            Severity::Note => (CYAN, "note"),
        };
        let label = self.styled(style, &format!("{severity}[{}]", finding.code.name()));
        let sentence = self.styled(BOLD, sentence);
        writeln!(self.out, "\n{label}: {sentence}")?;
        for LabelledStack { label, stack } in &finding.stacks {
            writeln!(self.out, "  {label}:")?;
            self.stack(stack)?;
        }
        let advice = self.styled(DIM, &finding.advice_in(self.options.words));
        writeln!(self.out, "  {advice}")
    }
}

/// What a finding says, and of which instances, where there are several.
fn sentence(report: &Report, alike: &Alike<'_>) -> String {
    let finding = alike.finding;
    let (message, place) = (escape(&finding.message), place(report, finding.instance));
    if place.is_empty() {
        return message;
    }
    if alike.instances.len() == 1 {
        return format!("{message} ({place})");
    }
    let instances = alike.instances.iter();
    let instances: Vec<usize> =
        instances.flat_map(|&instance| sharing(report, instance)).copied().collect();
    let (many, which) = (number_of(instances.len(), "instance"), ranges(&instances));
    let Held { blocks, bytes: size } = alike.held;
    let (size, of_blocks) = (bytes(size), number_of(blocks, "block"));
    match blocks {
        0 => Sentence::AlikeInMany.with([&many, &which, &place, &message]),
        _ => Sentence::AlikeOfBlocks.with([&size, &of_blocks, &many, &which, &place, &message]),
    }
}

/// Which instances a finding is about, as in `instances 0 and 1`; empty if there is only one.
fn place(report: &Report, instance: usize) -> String {
    match sharing(report, instance) {
        users if users.is_empty() || report.instances.len() == 1 => String::new(),
        [_] => format!("instance {instance}"),
        users => format!("instances {}", ranges(users)),
    }
}

/// The instances that use the memory of one.
fn sharing(report: &Report, instance: usize) -> &[usize] {
    let instance = report.instances.get(instance);
    let memory = instance.and_then(|instance| report.memories.get(instance.memory));
    memory.map_or(&[], |memory| &memory.users)
}
