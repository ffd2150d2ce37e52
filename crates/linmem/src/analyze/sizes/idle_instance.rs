//! The instance that was watched was idle, and others did the work.

use crate::report::{Code, Finding};
use crate::units::times;

use super::others::work_of;
use super::{Subject, Watched, allocations, memories_of};

/// The memory whose size was read belongs to an instance that did nothing, while others did.
pub(super) fn finding(subject: &Subject<'_, '_>, watched: &Watched<'_>) -> Option<Finding> {
    let replay = subject.replay;
    let (&instance, others) = (watched.users.first()?, &watched.others);
    let &worker = others.first().filter(|_| watched.allocations_between() == 0)?;
    let message = format!(
        "the memory whose size was read {} belongs to instance {instance}, which {}; the work was \
         done in {}{}",
        times(watched.reads.count),
        what_it_did(subject, watched),
        work_of(replay, others),
        when(subject, watched),
    );
    let their_allocations = memories_of(replay, others).into_iter().map(allocations).sum();
    let finding = Finding::new(Code::WatchedIdleInstance)
        .about(instance)
        .message(message)
        .number("readings", watched.reads.count)
        .number("calls_between", watched.calls_between())
        .number("other_instances", others.len() as u64)
        .number("their_allocations", their_allocations)
        .stack("read", subject.stack(watched.reads.first.context))
        .advice("Await the work, and let it use the instance whose memory you measure.");
    Some(created(finding, subject, worker))
}

fn what_it_did(subject: &Subject<'_, '_>, watched: &Watched<'_>) -> String {
    let calls = watched.calls_between();
    let unseen = watched.users.iter().any(|&user| subject.replay.instances[user].functions_taken);
    match calls {
        _ if unseen => "allocated nothing between the readings".to_owned(),
        0 => "was not called and allocated nothing between the readings".to_owned(),
        _ => format!("was called {} between the readings and allocated nothing", times(calls)),
    }
}

/// Whether the others worked after the last reading.
fn when(subject: &Subject<'_, '_>, watched: &Watched<'_>) -> &'static str {
    let last = watched.reads.last.events_before;
    let is_late = |other: &&usize| {
        subject.replay.instances[**other].active.is_some_and(|(start, _)| start > last)
    };
    match watched.others.iter().filter(is_late).count() {
        0 => "",
        all if all == watched.others.len() => ", all of it after the last reading",
        _ => ", part of it after the last reading",
    }
}

/// Adds where an instance was created.
pub(super) fn created(finding: Finding, subject: &Subject<'_, '_>, instance: usize) -> Finding {
    let context = subject.replay.instances[instance].created;
    let stack = context.map(|context| subject.stack(context)).unwrap_or_default();
    finding.stack(format!("instance {instance} was created"), stack)
}
