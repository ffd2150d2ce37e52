//! Findings: what is wrong or worth knowing, with its evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Code, Stack};

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Finding {
    /// What it is; stable across versions.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// Number of the instance that it is about.
    pub instance: usize,
    /// One sentence with the numbers in it.
    pub message: String,
    /// The numbers, by name.
    pub numbers: BTreeMap<String, u64>,
    /// The stacks, each with what happened there.
    pub stacks: Vec<LabelledStack>,
    /// One sentence of advice. Exports add what the front end offers ([`Words`]).
    pub advice: String,
    /// What the advice needs from the front end. JSON has the worded advice instead.
    #[serde(skip)]
    pub remedy: Option<Remedy>,
}

/// A stack with what happened there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LabelledStack {
    /// What happened there, for example `allocated`.
    pub label: String,
    /// Where.
    pub stack: Stack,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Wrong.
    Error,
    /// Probably wrong.
    Warning,
    /// Worth knowing.
    Note,
}

/// Something that a user can do with a front end's help: by an option, an argument, a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Say which functions allocate and free.
    NameAllocatorFunctions,
    /// Say which function is `malloc`.
    NameMalloc,
    /// Repeat a call more often.
    MoreCalls,
    /// Let the engine collect garbage and run finalizers before the end.
    Collect,
}

/// How a front end names what does a [`Remedy`], for example `--times`; `None` where it offers nothing.
///
/// ```
/// use linmem::report::{Remedy, Words};
/// let words: Words = |remedy| match remedy {
///     Remedy::MoreCalls => Some("--times"),
///     _ => None,
/// };
/// ```
pub type Words = fn(Remedy) -> Option<&'static str>;

/// The [`Words`] of a front end that offers nothing: the library's own.
pub(crate) const NO_WORDS: Words = |_| None;

impl Finding {
    /// A finding of the usual severity, about instance 0, with nothing said yet.
    pub(crate) fn new(code: Code) -> Finding {
        Finding {
            code,
            severity: code.default_severity(),
            instance: 0,
            message: String::new(),
            numbers: BTreeMap::new(),
            stacks: Vec::new(),
            advice: String::new(),
            remedy: None,
        }
    }

    /// Sets the instance that it is about.
    pub(crate) fn about(mut self, instance: usize) -> Finding {
        self.instance = instance;
        self
    }

    /// Sets another severity than the usual one.
    pub(crate) fn severity(mut self, severity: Severity) -> Finding {
        self.severity = severity;
        self
    }

    /// Sets the sentence.
    pub(crate) fn message(mut self, message: impl Into<String>) -> Finding {
        self.message = message.into();
        self
    }

    /// Adds a number.
    pub(crate) fn number(mut self, name: &str, value: u64) -> Finding {
        self.numbers.insert(name.to_owned(), value);
        self
    }

    /// Adds a stack, with what happened there.
    pub(crate) fn stack(mut self, label: impl Into<String>, stack: Stack) -> Finding {
        self.stacks.push(LabelledStack { label: label.into(), stack });
        self
    }

    /// Sets the advice.
    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Finding {
        self.advice = advice.into();
        self
    }

    /// Says what the advice needs from the front end.
    pub(crate) fn remedy(mut self, remedy: Remedy) -> Finding {
        self.remedy = Some(remedy);
        self
    }

    /// The advice with what the front end offers, in parentheses before the full stop.
    pub(crate) fn advice_in(&self, words: Words) -> String {
        match (self.remedy.and_then(words), self.advice.strip_suffix('.')) {
            (Some(words), Some(advice)) => format!("{advice} ({words})."),
            _ => self.advice.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_built_step_by_step() {
        let finding = Finding::new(Code::LeakDefinite).about(3).message("lost").number("blocks", 2);
        let finding = finding.stack("allocated", Vec::new()).advice("Free it.");
        assert_eq!((finding.severity, finding.instance), (Severity::Error, 3));
        assert_eq!(finding.numbers["blocks"], 2);
        assert_eq!(finding.stacks[0].label, "allocated");
        assert_eq!(finding.severity(Severity::Note).severity, Severity::Note);
    }

    #[test]
    fn the_front_end_words_the_advice() {
        let words: Words = |remedy| (remedy == Remedy::MoreCalls).then_some("--times");
        let plain = Finding::new(Code::KeepsGrowing).advice("Call it more often.");
        assert_eq!(plain.advice_in(words), "Call it more often.");
        let finding = plain.remedy(Remedy::MoreCalls);
        assert_eq!(finding.advice_in(words), "Call it more often (--times).");
        assert_eq!(finding.advice_in(NO_WORDS), "Call it more often.");
    }
}
