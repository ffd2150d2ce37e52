//! The work had not been done yet when the memory was watched.

use crate::report::{Code, Finding};
use crate::units::{count, number_of};

use super::{Subject, Watched, allocations};

/// The memory's size was read before its instances allocated anything.
pub(super) fn finding(subject: &Subject<'_, '_>, watched: &Watched<'_>) -> Option<Finding> {
    let &instance = watched.users.first()?;
    let in_all = allocations(&subject.replay.memories[watched.memory]);
    let later = in_all.saturating_sub(watched.reads.last.allocations_before);
    if watched.allocations_between() > 0 || later == 0 {
        return None;
    }
    let message = format!(
        "instance {instance} allocated nothing between the {} readings of its memory's size, and made \
         {} after the last one: the readings came too early",
        count(watched.reads.count),
        number_of(later, "allocation"),
    );
    let finding = Finding::new(Code::MeasuredTooEarly)
        .about(instance)
        .message(message)
        .number("readings", watched.reads.count)
        .number("allocations_after", later)
        .stack("read", subject.stack(watched.reads.first.context))
        .advice("Await the work before you measure.");
    Some(finding)
}
