//! Findings that read alike, one for each of many instances: people read them as one.

use std::collections::HashMap;

use super::{Finding, Held, Report, Severity, Stack};

/// Findings of different instances that differ in their numbers alone.
pub(crate) struct Alike<'r> {
    /// The one with the most bytes, or else the first.
    pub finding: &'r Finding,
    /// The instances that they are about, in order.
    pub instances: Vec<usize>,
    /// Their blocks and bytes together, where they are about blocks.
    pub held: Held,
}

/// What findings have in common that read alike.
#[derive(PartialEq, Eq, Hash)]
struct Likeness<'r> {
    code: &'static str,
    module: Option<&'r str>,
    message: String,
    stacks: Vec<(String, &'r Stack)>,
}

impl Report {
    /// The findings of a severity in their order, those that read alike as one.
    pub(crate) fn alike(&self, severity: Severity) -> Vec<Alike<'_>> {
        let mut known: HashMap<Likeness<'_>, Vec<usize>> = HashMap::new();
        let mut all: Vec<Alike<'_>> = Vec::new();
        for finding in self.findings.iter().filter(|finding| finding.severity == severity) {
            let numbers = known.entry(self.likeness(finding)).or_default();
            // What an instance has several of stays several.
            let is_earlier =
                |number: &usize| all[*number].instances.last() < Some(&finding.instance);
            if let Some(number) = numbers.iter().copied().find(is_earlier) {
                all[number].add(finding);
                continue;
            }
            numbers.push(all.len());
            let (instances, held) = (vec![finding.instance], held(finding));
            all.push(Alike { finding, instances, held });
        }
        all
    }

    fn likeness<'r>(&'r self, finding: &'r Finding) -> Likeness<'r> {
        let instance = self.instances.get(finding.instance);
        let stacks = finding.stacks.iter();
        Likeness {
            code: finding.code.name(),
            module: instance.map(|instance| &*instance.module),
            message: without_numbers(&finding.message),
            stacks: stacks.map(|one| (without_numbers(&one.label), &one.stack)).collect(),
        }
    }
}

impl<'r> Alike<'r> {
    fn add(&mut self, finding: &'r Finding) {
        self.instances.push(finding.instance);
        self.held += held(finding);
        if held(finding).bytes > held(self.finding).bytes {
            self.finding = finding;
        }
    }
}

fn held(finding: &Finding) -> Held {
    let number = |name| finding.numbers.get(name).copied().unwrap_or(0);
    Held { blocks: number("blocks"), bytes: number("bytes") }
}

/// A text without its numbers, and without the plural that goes with them.
fn without_numbers(text: &str) -> String {
    let is_number =
        |word: &&str| word.trim_start_matches('(').starts_with(|c: char| c.is_ascii_digit());
    let words = text.split(' ').filter(|word| !is_number(word));
    let words = words.map(|word| match word {
        "them" => "it",
        _ => word.strip_suffix('s').unwrap_or(word),
    });
    words.collect::<Vec<_>>().join(" ")
}
