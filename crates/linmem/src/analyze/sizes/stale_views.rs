//! Views that a growth had detached, and that the host used afterwards.

use crate::report::{Code, Finding};
use crate::units::{pages, times};

use super::super::lines::in_parentheses;
use super::Subject;

/// One finding for each detached view and place where it was used.
pub(super) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    let replay = subject.replay;
    let views = replay.host.stale_views.iter().map(|(view, number)| {
        let memory = &replay.memories[view.memory];
        let used = subject.stack(view.context);
        let mut growths = memory.heap.growths().iter().filter(|growth| !growth.refused);
        let detached_by = growths.find(|growth| growth.pages_before >= view.pages);
        let detached_by = detached_by.map(|growth| subject.stack(growth.context));
        let message = format!(
            "a view from when memory {} had {} was used {}{} after the memory had grown{}: it is detached, reads \
             as empty, and swallows writes or throws",
            view.memory,
            pages(view.pages),
            times(*number),
            in_parentheses(&used),
            detached_by.as_ref().map_or_else(String::new, in_parentheses),
        );
        let finding = Finding::new(Code::StaleView)
            .about(memory.users.first().copied().unwrap_or_default())
            .message(message)
            .number("times", *number)
            .number("pages", view.pages)
            .stack("used", used);
        let finding = match detached_by {
            Some(stack) => finding.stack("detached by the growth", stack),
            None => finding,
        };
        finding.advice(
            "Make the view anew from memory.buffer after everything that can grow the memory.",
        )
    });
    views.collect()
}
