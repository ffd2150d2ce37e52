//! The findings, worst first, and the recorder's notes.

use std::fmt::{self, Write};

use super::{BOLD, CYAN, DIM, RED, Text, YELLOW};
use crate::report::{Finding, LabelledStack, Report, Severity};
use crate::units::{count, escape, ranges};

impl Text {
    /// All findings and notes.
    pub(super) fn findings(&mut self, report: &Report) -> fmt::Result {
        for severity in [Severity::Error, Severity::Warning, Severity::Note] {
            let of_severity: Vec<&Finding> =
                report.findings.iter().filter(|f| f.severity == severity).collect();
            for finding in of_severity.iter().take(self.options.findings) {
                self.finding(finding, &place(report, finding))?;
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

    fn finding(&mut self, finding: &Finding, place: &str) -> fmt::Result {
        let (style, severity) = match finding.severity {
            Severity::Error => (RED, "error"),
            Severity::Warning => (YELLOW, "warning"),
            Severity::Note => (CYAN, "note"),
        };
        let label = self.styled(style, &format!("{severity}[{}]", finding.code.name()));
        let message = self.styled(BOLD, &escape(&finding.message));
        writeln!(self.out, "\n{label}: {message}{place}")?;
        for LabelledStack { label, stack } in &finding.stacks {
            writeln!(self.out, "  {label}:")?;
            self.stack(stack)?;
        }
        let advice = self.styled(DIM, &finding.advice_in(self.options.words));
        writeln!(self.out, "  {advice}")
    }
}

/// Which instances a finding is about, where there are several.
fn place(report: &Report, finding: &Finding) -> String {
    let instance = report.instances.get(finding.instance).filter(|_| report.instances.len() > 1);
    let memory = instance.and_then(|instance| report.memories.get(instance.memory));
    match memory.map(|memory| &memory.users[..]) {
        None => String::new(),
        Some([_] | []) => format!(" (instance {})", finding.instance),
        Some(users) => format!(" (instances {})", ranges(users)),
    }
}
