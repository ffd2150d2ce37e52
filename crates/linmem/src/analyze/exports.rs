//! What exported functions kept: how often the host called each and from where, the pages that these calls added, and
//! the blocks that are left of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::replay::heap::Held;
use crate::report::{CallsFrom, ExportReport, Kept};
use crate::trace::{ContextId, Frame};

use super::growing_calls;
use super::lines::user_line;
use super::subject::{Memory, Subject};

/// One call says nothing of those that will follow.
const FEWEST_CALLS: u64 = 2;

/// Fewer calls, or fewer blocks that are left, are too few to tell whether that goes on.
pub(super) const FEWEST_TO_JUDGE: u64 = 8;

/// Parts of a recording of which each has to leave blocks, if calls go on to keep them.
pub(super) const PARTS: u64 = 4;

/// For each memory, the functions that were called repeatedly and kept something, the most bytes first.
pub(crate) fn table(subject: &Subject<'_, '_>) -> Vec<Vec<ExportReport>> {
    subject.memories().map(of_memory).collect()
}

/// What the calls of one function kept.
#[derive(Default)]
struct OfFunction {
    left: Held,
    left_by_part: [u64; PARTS as usize],
    /// The serial numbers of the first and the last block that is left, and of the last one that it allocated.
    first_left: Option<u64>,
    last_left: u64,
    last: u64,
    pages: u64,
    grew: Grew,
}

/// In which calls of a function the memory grew.
#[derive(Default, PartialEq)]
enum Grew {
    #[default]
    InNone,
    InEarlyOnes,
    InLateOnes,
    AgainAndAgain,
}

fn of_memory(memory: Memory<'_, '_>) -> Vec<ExportReport> {
    let functions = what_calls_kept(memory);
    let all = functions.iter();
    let mut reports: Vec<_> = all.filter_map(|(&key, of)| report(memory, key, of)).collect();
    reports.sort_by_key(|report| Reverse((report.left.bytes, report.pages)));
    reports
}

/// The functions, with their modules, whose calls keep no more.
pub(super) fn at_rest(memory: Memory<'_, '_>) -> BTreeSet<(usize, u32)> {
    let functions = what_calls_kept(memory).into_iter();
    let at_rest = functions.filter(|(key, of)| of.kept(calls(memory, *key)) == Kept::NoMore);
    at_rest.map(|(key, _)| key).collect()
}

fn what_calls_kept(memory: Memory<'_, '_>) -> BTreeMap<(usize, u32), OfFunction> {
    let mut functions: BTreeMap<(usize, u32), OfFunction> = BTreeMap::new();
    for (called, calls) in memory.recorded().growing_calls.iter() {
        let instance = memory.subject.instance(called.instance).recorded();
        let of = functions.entry((instance.module, called.function)).or_default();
        of.pages = of.pages.saturating_add(calls.pages());
        let times = instance.times(called.function).unwrap_or_default();
        of.grew = match calls.calls.last() {
            _ if growing_calls::keeps_growing(&calls.calls, times) => Grew::AgainAndAgain,
            Some((nth, _)) if of.grew == Grew::InNone && *nth <= times / 2 => Grew::InEarlyOnes,
            _ => Grew::InLateOnes,
        };
    }
    let totals = memory.heap().totals();
    let allocations = totals.allocations.saturating_add(totals.reallocations).max(1);
    for (_, block) in memory.heap().live() {
        let Some(entered) = entered(memory, block.context) else { continue };
        let of = functions.entry(entered).or_default();
        of.left += Held { blocks: 1, bytes: block.size };
        of.first_left = Some(of.first_left.map_or(block.serial, |first| first.min(block.serial)));
        of.last_left = of.last_left.max(block.serial);
        let before = u128::from(block.serial.saturating_sub(1));
        let part = before * u128::from(PARTS) / u128::from(allocations);
        of.left_by_part[(part as usize).min(PARTS as usize - 1)] += 1;
    }
    for (context, site) in memory.heap().sites() {
        let of = entered(memory, context).and_then(|entered| functions.get_mut(&entered));
        if let Some(of) = of {
            of.last = of.last.max(site.last);
        }
    }
    functions
}

/// How often the host called a function.
pub(super) fn calls(memory: Memory<'_, '_>, (module, function): (usize, u32)) -> u64 {
    let users = memory.users().filter(|user| user.recorded().module == module);
    users.filter_map(|user| user.recorded().times(function)).fold(0, u64::saturating_add)
}

impl OfFunction {
    /// Whether so many calls went on to keep memory.
    fn kept(&self, calls: u64) -> Kept {
        let blocks = self.left.blocks;
        let goes_on = blocks >= FEWEST_TO_JUDGE
            && self.left_by_part.iter().all(|part| *part >= blocks / (2 * PARTS));
        if calls < FEWEST_TO_JUDGE {
            Kept::Unknown
        } else if self.grew == Grew::AgainAndAgain || goes_on {
            Kept::MoreAndMore
        } else if self.came_to_rest() {
            Kept::NoMore
        } else {
            Kept::Unknown
        }
    }

    /// Whether it went on for as long as before and kept nothing of that.
    fn came_to_rest(&self) -> bool {
        let pages_rest = matches!(self.grew, Grew::InNone | Grew::InEarlyOnes);
        let blocks_rest = self.first_left.is_none_or(|first| {
            let (until, since) = (self.last_left - first, self.last.saturating_sub(self.last_left));
            since >= until && since >= FEWEST_TO_JUDGE
        });
        pages_rest && blocks_rest
    }
}

/// The module and the function that the host called where an event happened.
pub(super) fn entered(memory: Memory<'_, '_>, context: ContextId) -> Option<(usize, u32)> {
    let contexts = &memory.subject.replay.contexts;
    let (module, function) = contexts.entry(context);
    // A host without a stack of its own does not tell of its entries: the outermost frame is one.
    let outermost = || contexts.inner(context).iter().rev().find_map(Frame::function);
    Some((module, function.or_else(outermost)?))
}

fn report(
    memory: Memory<'_, '_>,
    (module, function): (usize, u32),
    of: &OfFunction,
) -> Option<ExportReport> {
    let mut users = memory.users().filter(move |user| user.recorded().module == module);
    let calls = calls(memory, (module, function));
    if calls < FEWEST_CALLS || of.left.blocks == 0 && of.pages == 0 {
        return None;
    }
    Some(ExportReport {
        name: users.next()?.export_name(function),
        calls,
        from: Callers::of(memory, module, &[function]).lines(),
        pages: of.pages,
        left: of.left,
        kept: of.kept(calls),
    })
}

/// Where functions were called from, as far as callers were looked at.
pub(super) struct Callers {
    /// By the user's own line: how many calls, and the place with most of them.
    by_line: Vec<(Option<String>, OfLine)>,
}

/// The calls from one line.
#[derive(Default)]
struct OfLine {
    calls: u64,
    most: Option<(u64, ContextId)>,
}

impl Callers {
    /// The callers of some functions of a module.
    pub(super) fn of(memory: Memory<'_, '_>, module: usize, functions: &[u32]) -> Callers {
        let mut by_line: BTreeMap<Option<String>, OfLine> = BTreeMap::new();
        for user in memory.users().filter(|user| user.recorded().module == module) {
            for (&(function, context), &times) in &user.recorded().called_from {
                if !functions.contains(&function) {
                    continue;
                }
                let line = user_line(&memory.subject.outside(context)).map(str::to_owned);
                let of = by_line.entry(line).or_default();
                of.calls = of.calls.saturating_add(times);
                if of.most.is_none_or(|(most, _)| times > most) {
                    of.most = Some((times, context));
                }
            }
        }
        let mut by_line: Vec<_> = by_line.into_iter().collect();
        by_line.sort_by_key(|(_, of)| Reverse(of.calls));
        Callers { by_line }
    }

    /// The line with most calls, and how many.
    pub(super) fn first_line(&self) -> Option<(&str, u64)> {
        self.by_line.iter().find_map(|(line, of)| Some((line.as_deref()?, of.calls)))
    }

    /// How many calls came from a line, of those that were looked at.
    pub(super) fn of_line(&self, line: &str) -> u64 {
        let mut lines = self.by_line.iter();
        lines.find(|(known, _)| known.as_deref() == Some(line)).map_or(0, |(_, of)| of.calls)
    }

    /// The place with most calls.
    pub(super) fn most(&self) -> Option<ContextId> {
        self.by_line.first().and_then(|(_, of)| Some(of.most?.1))
    }

    fn lines(self) -> Vec<CallsFrom> {
        let lines = self.by_line.into_iter();
        lines.filter_map(|(line, of)| Some(CallsFrom { line: line?, calls: of.calls })).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::analyze::recording::Recording;
    use crate::report::{CallsFrom, ExportReport, Kept};

    /// Calls of function 1 that allocate a block each; `is_kept` says whether it stays, `grows` by how many pages the
    /// memory grows then.
    fn calls(
        calls: u64,
        is_kept: impl Fn(u64) -> bool,
        grows: impl Fn(u64) -> u64,
    ) -> Vec<ExportReport> {
        let mut recording = Recording::new(&["malloc"]);
        recording.host_stacks(&["app.mjs:5", "app.mjs:9", "node_modules/a/index.js:1"]);
        recording.instance(0);
        let mut pages = 2;
        for call in 1..=calls {
            recording.call(1, 1);
            recording.called_from(1, u32::from(call == 1), 1);
            recording.enter(1, Some(0));
            recording.allocate(0x1000 + 16 * call, 10, 0);
            for _ in 0..grows(call) {
                recording.grow(Some(pages), true, 0);
                pages += 1;
            }
            if !is_kept(call) {
                recording.free(0x1000 + 16 * call);
            }
        }
        recording.call(2, 1);
        recording.called_from(2, 2, 1);
        recording.enter(2, Some(2));
        recording.allocate(0x10, 4, 0);
        let report = recording.finish().report().unwrap();
        report.memories.into_iter().next().unwrap().exports
    }

    /// What the only function kept that was called repeatedly.
    fn kept(exports: &[ExportReport]) -> Kept {
        let [only] = exports else { panic!("{} functions", exports.len()) };
        only.kept
    }

    #[test]
    fn what_calls_left_is_counted_by_function_and_line() {
        let exports = calls(16, |_| true, |call| u64::from(call == 3));
        let [only] = &exports[..] else { panic!("a function that is called once is shown") };
        assert_eq!((only.calls, only.pages), (16, 1));
        assert_eq!((only.left.blocks, only.left.bytes), (16, 160));
        let from = |line: &str, calls| CallsFrom { line: line.to_owned(), calls };
        assert_eq!(only.from, [from("app.mjs:5", 15), from("app.mjs:9", 1)]);
    }

    #[test]
    fn blocks_of_all_parts_of_a_recording_are_more_and_more() {
        assert_eq!(kept(&calls(40, |_| true, |_| 0)), Kept::MoreAndMore);
        assert_eq!(kept(&calls(40, |call| call % 4 == 0, |_| 0)), Kept::MoreAndMore);
    }

    #[test]
    fn calls_that_go_on_and_keep_nothing_keep_no_more() {
        assert_eq!(kept(&calls(40, |call| call == 1, |_| 0)), Kept::NoMore);
        assert_eq!(kept(&calls(40, |call| call <= 15, |_| 0)), Kept::NoMore);
        assert_eq!(kept(&calls(40, |_| false, |call| u64::from(call < 9))), Kept::NoMore);
    }

    #[test]
    fn late_growth_is_more_and_more_if_it_is_not_the_only_one() {
        assert_eq!(kept(&calls(40, |_| false, |call| call % 4)), Kept::MoreAndMore);
        assert_eq!(kept(&calls(40, |call| call == 1, |call| call % 4)), Kept::MoreAndMore);
        assert_eq!(kept(&calls(40, |_| false, |call| u64::from(call == 39))), Kept::Unknown);
        assert_eq!(kept(&calls(40, |call| call == 1, |call| u64::from(call == 39))), Kept::Unknown);
    }

    #[test]
    fn what_only_the_last_calls_left_is_not_judged() {
        assert_eq!(kept(&calls(40, |call| call > 30, |_| 0)), Kept::Unknown);
        assert_eq!(kept(&calls(40, |call| call > 12, |_| 0)), Kept::Unknown);
    }

    #[test]
    fn few_calls_are_not_judged() {
        assert_eq!(kept(&calls(7, |_| true, |_| 1)), Kept::Unknown);
        assert_eq!(kept(&calls(7, |call| call == 1, |_| 0)), Kept::Unknown);
    }

    #[test]
    fn functions_that_kept_nothing_are_not_shown() {
        assert_eq!(calls(40, |_| false, |_| 0), []);
    }
}
