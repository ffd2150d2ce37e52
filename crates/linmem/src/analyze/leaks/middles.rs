//! Blocks into whose middle alone pointers lead. Programs keep such pointers on purpose: to an object behind a header, to the end
//! of an arena, or with a mark in the lowest bits. So what counts is whether calls of the host leave more and more of them; and
//! where there are many, pointers may look other than linmem knows.

use crate::report::{Code, Finding, Severity};
use crate::units::number_of;

use super::super::lines::nearest_line;
use super::super::subject::Memory;
use super::findings::{GroupOf, Groups, finding_of_all, them};
use super::once::{self, FEWEST_OF_LOOP};
use super::{Holder, Kind, sum_of};

/// Whether the blocks, into whose middle pointers lead, do not become more and more, where calls of the host could make
/// them do so: programs keep such pointers on purpose, too.
pub(super) fn is_at_rest(memory: Memory<'_, '_>, ((kind, context), group): &GroupOf<'_>) -> bool {
    const FEWEST: u64 = 8;
    let has_calls = || nearest_line(&memory.subject.outside(*context)).is_some();
    let goes_on = || {
        group.held.blocks >= FEWEST
            && group.last - group.first >= half_of_run(memory)
            && once::calls(memory, *context) >= FEWEST
    };
    *kind == Kind::Possible && has_calls() && !goes_on()
}

/// One note for such blocks.
pub(super) fn at_rest_finding(memory: Memory<'_, '_>, groups: &Groups<'_>) -> Option<Finding> {
    const WHAT: &str =
        "perhaps lost, but not more and more: only pointers into the middle are left";
    let finding = finding_of_all(Code::LeakPossible, memory, groups, WHAT)?;
    Some(finding.severity(Severity::Note).advice(
        "Programs keep pointers into the middle of their blocks on purpose, too. Otherwise keep one to the start, or free them.",
    ))
}

/// Whether blocks that nothing points to may be kept all the same: a program to so many of whose blocks only pointers into the
/// middle lead keeps pointers in a way of its own, and may have others that do not look like any. Of what the host cannot have, a
/// few are doubtful; of what it may have, those that do not become more and more.
pub(super) fn is_doubtful(
    memory: Memory<'_, '_>,
    ((kind, _), group): &GroupOf<'_>,
    at_rest: &Groups<'_>,
) -> bool {
    const MANY: u64 = 64;
    let middles = sum_of(at_rest.iter().map(|(_, group)| *group)).blocks;
    middles >= MANY
        && match kind {
            Kind::Definite => group.held.blocks < FEWEST_OF_LOOP,
            Kind::HostHeld(Holder::MayHave) => group.last - group.first < half_of_run(memory),
            _ => false,
        }
}

/// One note for those.
pub(super) fn doubtful_finding(
    memory: Memory<'_, '_>,
    groups: &Groups<'_>,
    at_rest: &Groups<'_>,
) -> Option<Finding> {
    let held = sum_of(groups.iter().map(|(_, group)| *group));
    let middles = sum_of(at_rest.iter().map(|(_, group)| *group)).blocks;
    let what = format!(
        "perhaps lost: nothing points to {}, but the program keeps pointers in a way of its own, as only pointers into the \
         middle of {} are left",
        them(held),
        number_of(middles, "other block"),
    );
    let finding = finding_of_all(Code::LeakPossible, memory, groups, &what)?;
    Some(finding.severity(Severity::Note).advice(once::ADVICE))
}

/// Half of all allocations.
fn half_of_run(memory: Memory<'_, '_>) -> u64 {
    let totals = memory.heap().totals();
    (totals.allocations + totals.reallocations) / 2
}
