//! The report as versioned JSON; `docs/report-json.md` describes it.

use std::borrow::Cow;
use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::report::{Finding, Report, Words};

/// The version of the JSON format. It changes when a reader of the old one could be misled.
const VERSION: u32 = 1;

/// What stands around the report.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<R> {
    format: String,
    version: u32,
    report: R,
}

const FORMAT: &str = "linmem-report";

/// Writes the report as indented JSON. Its advice is in the words of the front end.
///
/// # Errors
///
/// [`ErrorKind::Io`] when `out` fails.
pub fn write(report: &Report, words: Words, out: &mut impl Write) -> Result<()> {
    let envelope =
        Envelope { format: FORMAT.to_owned(), version: VERSION, report: worded(report, words) };
    serde_json::to_writer_pretty(&mut *out, &envelope).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

/// The report with all advice in the words of the front end.
fn worded(report: &Report, words: Words) -> Cow<'_, Report> {
    let needs_words = |finding: &Finding| finding.remedy.and_then(words).is_some();
    if !report.findings.iter().any(needs_words) {
        return Cow::Borrowed(report);
    }
    let mut report = report.clone();
    for finding in &mut report.findings {
        finding.advice = finding.advice_in(words);
    }
    Cow::Owned(report)
}

/// Reads what [`write()`] wrote.
///
/// # Errors
///
/// [`ErrorKind::InvalidTrace`] when it is not a report of this version.
pub fn read(json: &[u8]) -> Result<Report> {
    let invalid = |reason: String| Error::new(ErrorKind::InvalidTrace, reason);
    let envelope: Envelope<Report> =
        serde_json::from_slice(json).map_err(|error| invalid(format!("no report: {error}")))?;
    if envelope.format != FORMAT || envelope.version != VERSION {
        return Err(invalid(format!("no {FORMAT} of version {VERSION}")));
    }
    Ok(envelope.report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Code, NO_WORDS, Remedy};

    #[test]
    fn advice_is_in_the_words_of_the_front_end() {
        let finding = Finding::new(Code::KeepsGrowing).advice("Call it more often.");
        let finding = finding.remedy(Remedy::MoreCalls);
        let report = Report { findings: vec![finding], ..Report::default() };
        let advice = |words: Words| {
            let mut json = Vec::new();
            write(&report, words, &mut json).unwrap();
            read(&json).unwrap().findings.remove(0).advice
        };
        assert_eq!(advice(|_| Some("--times")), "Call it more often (--times).");
        assert_eq!(advice(NO_WORDS), "Call it more often.");
    }
}
