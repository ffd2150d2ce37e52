//! The report as text for a terminal: the answer first, then the evidence.

mod calls_table;
mod columns;
mod exports_table;
mod findings;
mod growth_sites;
mod headline;
mod hooked;
mod hot_site_lists;
mod memories_table;
mod stack_lines;
mod summary;

use std::fmt::{self, Write as _};
use std::io::Write;

use crate::error::Result;
use crate::report::{NO_WORDS, Report, Words};
use crate::units::escape;

pub(super) use hooked::hooked;

/// How to write a report as text.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TextOptions {
    /// Use ANSI colours.
    pub color: bool,
    /// Findings to show of each severity.
    pub findings: usize,
    /// Frames to show of each stack.
    pub frames: usize,
    /// What the front end offers, for advice.
    pub words: Words,
}

impl Default for TextOptions {
    fn default() -> TextOptions {
        TextOptions { color: false, findings: 20, frames: 16, words: NO_WORDS }
    }
}

impl TextOptions {
    /// The usual ones, with or without ANSI colours, and with what the front end offers for advice.
    pub fn new(color: bool, words: Words) -> TextOptions {
        TextOptions { color, words, ..TextOptions::default() }
    }
}

/// Writes the whole report.
///
/// # Errors
///
/// [`Io`](crate::ErrorKind::Io) when `out` fails.
pub fn write(report: &Report, options: TextOptions, out: &mut impl Write) -> Result<()> {
    Ok(out.write_all(text(report, options).as_bytes())?)
}

/// The text report without colours, in the library's own words.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self, TextOptions::default()))
    }
}

fn text(report: &Report, options: TextOptions) -> String {
    let mut text = Text { out: String::new(), options };
    // Writing to a string cannot fail.
    let _ = text.report(report);
    text.out
}

/// A report in the making. Each file adds a part of it.
struct Text {
    out: String,
    options: TextOptions,
}

/// Columns that an answer is wrapped to.
const ANSWER_WIDTH: usize = 96;

const BOLD: anstyle::Style = anstyle::Style::new().bold();
const DIM: anstyle::Style = anstyle::Style::new().dimmed();
const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
const YELLOW: anstyle::Style = anstyle::AnsiColor::Yellow.on_default().bold();
const CYAN: anstyle::Style = anstyle::AnsiColor::Cyan.on_default().bold();
const GREEN: anstyle::Style = anstyle::AnsiColor::Green.on_default().bold();

impl Text {
    fn report(&mut self, report: &Report) -> fmt::Result {
        self.headline(report)?;
        for answer in &report.answers {
            writeln!(self.out, "\n{}", textwrap::fill(&escape(answer), ANSWER_WIDTH))?;
        }
        self.end(report)?;
        for repeats in &report.repeats {
            write!(self.out, "\n{}", calls_table::table(repeats))?;
        }
        self.findings(report)?;
        match report.memories.as_slice() {
            [] => Ok(()),
            [only] => self.memory(report, only),
            _ => self.memories(report),
        }
    }

    fn title(&mut self, title: &str) -> fmt::Result {
        let title = self.styled(BOLD, title);
        writeln!(self.out, "\n{title}")
    }

    fn styled(&self, style: anstyle::Style, text: &str) -> String {
        if self.options.color && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{AfterCall, Code, Coverage, Finding, Remedy, Repeats, Verdict};

    fn steady(export: &str) -> Repeats {
        let mut builder = crate::analyze::RepeatsBuilder::new(export, 8, AfterCall::default());
        (0..8).for_each(|_| builder.add(AfterCall::default()));
        let repeats = builder.finish(None);
        assert_eq!(repeats.verdict, Verdict::Steady { after_call: 0 });
        repeats
    }

    /// The report of a block that is lost in a memory which two instances share.
    fn shared_memory() -> Report {
        use crate::trace::{ContextId, Event, Frame, LiveFrames, Record, Sharing, Writer};
        let (initial_pages, max_pages, page_bytes) = (2, None, 65_536);
        let (context, size) = (ContextId(0), 100);
        let mut writer = Writer::new(Vec::new());
        let records = [
            Record::Module {
                name: "a.wasm".to_owned(),
                bytes: wat::parse_str("(module (memory 2))").unwrap(),
                allocator: r#"{"functions":[],"unseen":[],"notes":[],"candidates":[]}"#.to_owned(),
            },
            Record::Memory { initial_pages, max_pages, page_bytes, sharing: Sharing::Private },
            Record::Instance { module: 0, memory: 0 },
            Record::Instance { module: 0, memory: 0 },
            Record::Context { frames: vec![Frame::Host("work".to_owned())] },
            Record::Event(Event::Allocated { pointer: 4096, size, align: 0, context }),
            Record::Snapshot { memory: 0, pages: 2 },
            Record::Globals { live_frames: LiveFrames::None, values: Vec::new() },
            Record::Exit { code: 0 },
        ];
        records.iter().for_each(|record| writer.record(record));
        crate::analyze(&crate::Trace::from_bytes(writer.finish().unwrap())).unwrap()
    }

    #[test]
    fn a_finding_names_the_instances_that_share_its_memory() {
        let text = shared_memory().to_string();
        assert!(text.contains("nothing points to it any more (instances 0 and 1)\n"), "{text}");
    }

    /// A report may come from a file, and name what it does not have.
    #[test]
    fn numbers_that_lead_nowhere_are_left_out() {
        for wrong in [2, usize::MAX - 1, usize::MAX] {
            let mut report = shared_memory();
            report.memories[0].users = vec![wrong, wrong, 0];
            report.memories[0].totals.allocations = u64::MAX;
            report.memories[0].totals.reallocations = u64::MAX;
            report.findings[0].instance = wrong;
            report.instances.iter_mut().for_each(|instance| instance.memory = wrong);
            let mut file = Vec::new();
            super::super::json::write(&report, NO_WORDS, &mut file).unwrap();
            let read = super::super::json::read(&file).unwrap();
            assert!(read.to_string().contains("nothing points to it any more\n"), "{read}");
            let merged = Report::merge([read.clone(), read]).unwrap();
            assert!(merged.to_string().contains("\ninstance"), "{merged}");
        }
    }

    #[test]
    fn all_answers_and_repeats_are_shown() {
        let report = Report {
            answers: vec!["First answer.".to_owned(), "Second answer.".to_owned()],
            ..Report::default()
        };
        let report = report.with_repeats(steady("parse")).with_repeats(steady("format"));
        let text = report.to_string();
        assert!(text.contains("\nFirst answer.\n\nSecond answer.\n"), "{text}");
        assert!(text.contains("\nsteady: 8 calls of parse, 0 pages"), "{text}");
        assert!(text.contains("\nsteady: 8 calls of format, 0 pages"), "{text}");
        assert_eq!(text.matches("memory.size").count(), 2, "two tables: {text}");
    }

    #[test]
    fn the_front_end_words_advice_and_candidates() {
        let words: Words = |remedy| match remedy {
            Remedy::NameAllocatorFunctions => Some("--malloc, --free, …"),
            Remedy::NameMalloc => Some("--malloc INDEX"),
            _ => None,
        };
        let finding = Finding::new(Code::Overlap).advice("Say which.");
        let finding = finding.remedy(Remedy::NameAllocatorFunctions);
        let report = Report { findings: vec![finding], ..Report::default() };
        let mut worded = Vec::new();
        write(&report, TextOptions::new(false, words), &mut worded).unwrap();
        let worded = String::from_utf8(worded).unwrap();
        assert!(worded.contains("  Say which (--malloc, --free, …).\n"), "{worded}");
        assert!(report.to_string().contains("  Say which.\n"));
        let coverage = Coverage { candidates: vec![(7, "f".to_owned())], ..Coverage::default() };
        let plain = "  could be malloc, most called first: 7 (f)";
        assert!(hooked(&coverage, NO_WORDS).contains(&format!("{plain}\n")));
        let worded = hooked(&coverage, words);
        assert!(worded.contains(&format!("{plain}; try --malloc INDEX\n")), "{worded}");
    }
}
