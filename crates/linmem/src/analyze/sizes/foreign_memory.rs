//! The memory that was watched belongs to no instance.

use crate::report::{Code, Finding};
use crate::units::times;

use super::others::work_of;
use super::{Subject, Watched, idle_instance::created};

/// The memory whose size was read is not the one that the instances use.
pub(super) fn finding(subject: &Subject<'_, '_>, watched: &Watched<'_>) -> Option<Finding> {
    let &worker = watched.others.first().filter(|_| watched.users.is_empty())?;
    let message = format!(
        "no instance uses memory {}, whose size was read {}; the work was done in the memory of {}",
        watched.memory,
        times(watched.reads.count),
        work_of(subject.replay, &watched.others),
    );
    let finding = Finding::new(Code::ForeignMemory)
        .about(worker)
        .message(message)
        .number("readings", watched.reads.count)
        .stack("read", subject.stack(watched.reads.first.context))
        .advice("Give the instance that memory as an import, or read the memory that it exports.");
    Some(created(finding, subject, worker))
}
