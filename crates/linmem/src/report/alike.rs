//! Findings that read alike, one for each of many instances: people read them as one.

use std::collections::HashMap;

use super::{Finding, Held, Report, Severity, Stack};

/// Findings that differ in their instances and their numbers alone.
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
        let mut known: HashMap<Likeness<'_>, usize> = HashMap::new();
        let mut all: Vec<Alike<'_>> = Vec::new();
        for finding in self.findings.iter().filter(|finding| finding.severity == severity) {
            let number = *known.entry(self.likeness(finding)).or_insert(all.len());
            match all.get_mut(number) {
                Some(alike) => alike.add(finding),
                None => all.push(Alike {
                    finding,
                    instances: vec![finding.instance],
                    held: held(finding),
                }),
            }
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
