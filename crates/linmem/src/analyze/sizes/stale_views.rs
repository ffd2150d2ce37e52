//! Views that a growth had detached, and that the host used afterwards.

use crate::report::{Code, Finding};
use crate::units::{pages, times};

use super::Subject;

/// One finding for each detached view and place where it was used.
pub(super) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    let replay = subject.replay;
    let views = replay.host.stale_views.iter().map(|(view, number)| {
        let message = format!(
            "a view from when memory {} had {} was used {} after the memory had grown: it is detached, \
             reads as empty, and swallows writes",
            view.memory,
            pages(view.pages),
            times(*number),
        );
        Finding::new(Code::StaleView)
            .about(replay.memories[view.memory].users.first().copied().unwrap_or_default())
            .message(message)
            .number("times", *number)
            .number("pages", view.pages)
            .stack("used", subject.stack(view.context))
            .advice(
                "Make the view anew from memory.buffer after everything that can grow the memory.",
            )
    });
    views.collect()
}
