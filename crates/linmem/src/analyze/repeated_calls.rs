//! The same call again and again: whether memory and live blocks come to rest. The state after each
//! call goes in; the rows of a table and a verdict come out.

use std::collections::VecDeque;

use crate::report::{AfterCall, Repeats, RepeatsRow, Verdict};

/// Calls that a verdict needs, unless nothing ever changed.
const ENOUGH: u64 = 4;

/// Rows that are kept from the start, and from the end.
const ROWS: usize = 100;

/// Collects what was seen after each call. Needs the same memory for a million calls as for a
/// thousand.
#[derive(Debug)]
pub struct RepeatsBuilder {
    repeats: Repeats,
    /// The calls that are to be made.
    times: u64,
    /// Of pages and live bytes.
    all: Rise,
    /// Of pages alone.
    pages: Rise,
    late_rows: VecDeque<RepeatsRow>,
}

/// How sizes have risen so far.
#[derive(Debug)]
struct Rise {
    /// The highest so far.
    highest: Size,
    /// The highest in the first half.
    first_half: Size,
    /// The state when the first half was over.
    at_half: Size,
    last: Size,
    /// The last call that raised the highest.
    last_rise: u64,
    /// How many calls did.
    rises: u64,
}

impl Rise {
    fn from(start: Size) -> Rise {
        Rise {
            highest: start,
            first_half: start,
            at_half: start,
            last: start,
            last_rise: 0,
            rises: 0,
        }
    }

    /// After this call, of so many.
    fn add(&mut self, call: u64, times: u64, size: Size) {
        if size.exceeds(self.highest) {
            self.highest = self.highest.max(size);
            self.last_rise = call;
            self.rises += 1;
        }
        if call <= times / 2 {
            (self.first_half, self.at_half) = (self.highest, size);
        }
        self.last = size;
    }

    fn verdict(&self, calls: u64) -> Verdict {
        if self.last_rise == 0 && calls > 1 {
            return Verdict::Steady { after_call: 0 };
        }
        if calls < ENOUGH {
            return Verdict::TooFew;
        }
        if !self.highest.exceeds(self.first_half) {
            return Verdict::Steady { after_call: self.last_rise };
        }
        let since_half = (calls - calls / 2) as f64;
        let grown = |last: u64, half: u64| (last as f64 - half as f64).max(0.0) / since_half;
        Verdict::Growing {
            live_bytes_per_call: grown(self.last.live_bytes, self.at_half.live_bytes),
            pages_per_call: grown(self.last.pages, self.at_half.pages),
        }
    }
}

/// What must not keep growing.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    pages: u64,
    live_bytes: u64,
}

impl Size {
    fn of(after: &AfterCall) -> Size {
        Size { pages: after.pages.memory_size, live_bytes: after.live_bytes }
    }

    /// Without what is known of blocks.
    fn of_pages(self) -> Size {
        Size { live_bytes: 0, ..self }
    }

    fn max(self, other: Size) -> Size {
        Size {
            pages: self.pages.max(other.pages),
            live_bytes: self.live_bytes.max(other.live_bytes),
        }
    }

    fn exceeds(self, other: Size) -> bool {
        self.pages > other.pages || self.live_bytes > other.live_bytes
    }
}

impl RepeatsBuilder {
    /// Before the first of `times` calls.
    pub fn new(export: &str, times: u64, before: AfterCall) -> RepeatsBuilder {
        let start = Size::of(&before);
        RepeatsBuilder {
            times,
            all: Rise::from(start),
            pages: Rise::from(start.of_pages()),
            late_rows: VecDeque::new(),
            repeats: Repeats {
                export: export.to_owned(),
                calls: 0,
                allocations: 0,
                before,
                rows: Vec::new(),
                verdict: Verdict::TooFew,
                of_pages: Verdict::TooFew,
                sees_blocks: true,
                failure: None,
            },
        }
    }

    /// After a call.
    pub fn add(&mut self, after: AfterCall) {
        self.repeats.calls += 1;
        self.repeats.allocations += after.allocated.blocks;
        let call = self.repeats.calls;
        let size = Size::of(&after);
        self.all.add(call, self.times, size);
        self.pages.add(call, self.times, size.of_pages());
        self.add_row(call, after);
    }

    /// Calls after which all was the same share a row.
    fn add_row(&mut self, call: u64, after: AfterCall) {
        let rows = &mut self.repeats.rows;
        match self.late_rows.back_mut().or(rows.last_mut()) {
            Some(row) if row.after == after => row.last_call = call,
            _ => {
                let row = RepeatsRow { first_call: call, last_call: call, after };
                if rows.len() < ROWS {
                    rows.push(row);
                } else {
                    self.late_rows.push_back(row);
                }
            }
        }
        if self.late_rows.len() > ROWS {
            self.late_rows.pop_front();
        }
    }

    /// After the last call, or after one that failed, for the reason given.
    pub fn finish(mut self, failure: Option<String>) -> Repeats {
        let calls = self.repeats.calls;
        let verdict = |rise: &Rise| match failure {
            None => rise.verdict(calls),
            Some(_) => Verdict::Failing { at_call: calls + 1 },
        };
        self.repeats.verdict = verdict(&self.all);
        // Pages come many at a time: the only growth may well be the last.
        self.repeats.of_pages = match verdict(&self.pages) {
            Verdict::Growing { .. } if self.pages.rises < 2 => Verdict::TooFew,
            verdict => verdict,
        };
        self.repeats.failure = failure;
        self.repeats.rows.extend(self.late_rows);
        self.repeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Code, Witnesses};

    fn after(pages: u64, live_bytes: u64) -> AfterCall {
        let pages = Witnesses { host_view: pages, grow_zero: pages, memory_size: pages };
        AfterCall { pages, live_bytes, ..AfterCall::default() }
    }

    fn repeats(calls: &[(u64, u64)]) -> Repeats {
        let mut builder = RepeatsBuilder::new("work", calls.len() as u64, after(2, 0));
        calls.iter().for_each(|&(pages, live)| builder.add(after(pages, live)));
        builder.finish(None)
    }

    /// What `testdata/repeats.json` says of some calls; the JavaScript side reads it too.
    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        times: u64,
        before: Before,
        calls: Vec<(u64, u64)>,
        verdict: Verdict,
    }

    #[derive(serde::Deserialize)]
    struct Before {
        pages: u64,
        live_bytes: u64,
    }

    #[test]
    fn the_verdict_is_the_one_that_javascript_gives() {
        #[derive(serde::Deserialize)]
        struct Document {
            cases: Vec<Case>,
        }
        let json = include_str!("../../../../testdata/repeats.json");
        let Document { cases } = serde_json::from_str(json).unwrap();
        assert!(cases.len() > 20, "{} cases", cases.len());
        for Case { name, times, before, calls, verdict } in cases {
            let before = after(before.pages, before.live_bytes);
            let mut builder = RepeatsBuilder::new("work", times, before);
            calls.iter().for_each(|&(pages, live)| builder.add(after(pages, live)));
            assert_eq!(builder.finish(None).verdict, verdict, "{name}");
        }
    }

    #[test]
    fn growth_in_the_first_half_is_warming_up() {
        let verdict = repeats(&[(2, 0), (5, 0), (5, 0), (5, 0)]).verdict;
        assert_eq!(verdict, Verdict::Steady { after_call: 2 });
        let verdict = repeats(&[(2, 0), (2, 0)]).verdict;
        assert_eq!(verdict, Verdict::Steady { after_call: 0 }, "nothing happened");
        assert_eq!(repeats(&[(3, 0), (3, 0)]).verdict, Verdict::TooFew);
    }

    #[test]
    fn one_growth_by_pages_tells_nothing_where_blocks_are_not_seen() {
        let once = [(2, 0), (2, 0), (2, 0), (2, 0), (2, 0), (3, 0), (3, 0), (3, 0)];
        assert_eq!(repeats(&once).of_pages, Verdict::TooFew);
        let twice = [(2, 0), (2, 0), (2, 0), (2, 0), (2, 0), (3, 0), (3, 0), (4, 0)];
        assert!(matches!(repeats(&twice).of_pages, Verdict::Growing { .. }));
        let never = [(2, 8), (2, 16), (2, 24), (2, 32), (2, 40), (2, 48)];
        assert_eq!(repeats(&never).of_pages, Verdict::Steady { after_call: 0 });
    }

    #[test]
    fn what_goes_up_and_down_is_steady() {
        let waves: Vec<_> = (0..20).map(|call| (4, 100 * (call % 3))).collect();
        assert_eq!(repeats(&waves).verdict, Verdict::Steady { after_call: 3 });
    }

    #[test]
    fn growth_in_the_second_half_is_growth() {
        let leak: Vec<_> = (1..=16).map(|call| (2 + call / 16, 100 * call)).collect();
        let repeats = repeats(&leak);
        let growing = Verdict::Growing { live_bytes_per_call: 100.0, pages_per_call: 0.125 };
        assert_eq!(repeats.verdict, growing);
        let finding = repeats.finding().unwrap();
        assert_eq!(finding.code, Code::KeepsGrowing);
        let message =
            "16 calls of work, and still growing: 100 live bytes and 0.125 pages more with each";
        assert_eq!(finding.message, message);
    }

    #[test]
    fn rows_are_shared_and_few() {
        let calls: Vec<_> = (0..10_000).map(|call| (2 + call / 2_500, 0)).collect();
        let rows = repeats(&calls).rows;
        let spans: Vec<_> = rows.iter().map(|row| (row.first_call, row.last_call)).collect();
        assert_eq!(spans, [(1, 2_500), (2_501, 5_000), (5_001, 7_500), (7_501, 10_000)]);
        let leak: Vec<_> = (1..=10_000).map(|call| (2, call)).collect();
        let rows = repeats(&leak).rows;
        assert_eq!(rows.len(), 2 * ROWS);
        assert_eq!(rows[ROWS].first_call, 10_001 - ROWS as u64);
    }
}
