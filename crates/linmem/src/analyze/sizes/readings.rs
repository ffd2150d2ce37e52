//! How the program read its memories' sizes, apart from the code of packages that does so for itself.

use std::collections::BTreeMap;

use crate::replay::SizeReads;

use super::super::lines::begins_in_library;
use super::super::subject::Subject;

/// What is read of each memory, by its number.
pub(super) type Readings = BTreeMap<usize, SizeReads>;

/// All readings.
pub(super) fn all(subject: &Subject<'_, '_>) -> Readings {
    merged(subject, |_| true)
}

/// The readings that the program made at a line of its own, or at one that is not known.
pub(super) fn of_program(subject: &Subject<'_, '_>) -> Readings {
    merged(subject, |reads| !begins_in_library(&subject.stack(reads.first.context)))
}

fn merged(subject: &Subject<'_, '_>, counts: impl Fn(&SizeReads) -> bool) -> Readings {
    let mut merged = Readings::new();
    for (&(memory, _), reads) in &subject.replay.host.size_reads {
        if counts(reads) {
            let merged = merged.entry(memory);
            merged.and_modify(|all| all.add(reads)).or_insert_with(|| reads.clone());
        }
    }
    merged
}
