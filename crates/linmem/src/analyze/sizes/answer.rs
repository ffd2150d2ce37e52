//! The findings about sizes in a few sentences.

use crate::report::{Code, Family, Finding, Sentence, Severity};
use crate::units::number_of;

use super::super::sentence;
use super::{Subject, readings, witnesses};

/// The answer to what the sizes mean that the program read, if it read any or used a stale view.
pub(crate) fn answer(subject: &Subject<'_, '_>, findings: &[Finding]) -> Option<String> {
    let readings = readings::of_program(subject);
    let reads: u64 = readings.values().map(|reads| reads.count).sum();
    let main = findings.iter().filter(explains).min_by_key(|finding| finding.severity)?;
    if reads == 0 && main.code != Code::StaleView {
        return None;
    }
    let mut sentences = vec![sentence(&main.message), main.advice.clone()];
    let leak = |finding: &&Finding| {
        finding.code.family() == Family::Leaks
            && finding.severity != Severity::Note
            && finding.instance == main.instance
    };
    if let (Severity::Note, Some(leak)) = (main.severity, findings.iter().find(leak)) {
        sentences.push(Sentence::HereALeak.with([&leak.message]));
    }
    if reads > 0 && !findings.iter().any(|finding| finding.code == Code::WitnessesDisagree) {
        let (sizes, ways) = (number_of(reads, "size"), witnesses::ways(&readings));
        sentences.push(Sentence::SizesAgree.with([&sizes, &ways]));
    }
    Some(sentences.join(" "))
}

/// Whether a finding explains sizes by itself.
fn explains(finding: &&Finding) -> bool {
    match finding.code {
        Code::NullIgnored => true,
        Code::WitnessesDisagree => false,
        code => code.family() == Family::Sizes,
    }
}
