//! Memories whose upper half of addresses is in use: JavaScript gets them as negative numbers.

use crate::module::PAGE_BYTES;
use crate::report::{Code, Finding};
use crate::units::{count, pages};

use super::super::lines::in_parentheses;
use super::Subject;

/// The first page whose addresses do not fit into a signed number of 32 bits.
const FIRST_HIGH_PAGE: u64 = (1 << 31) / PAGE_BYTES;

/// One finding for each memory that crosses 2 GiB.
pub(super) fn findings(subject: &Subject<'_, '_>) -> Vec<Finding> {
    let small = subject.memories().filter(|memory| !memory.is_64());
    let findings = small.filter_map(|memory| {
        let growths = memory.heap().growths().iter();
        let mut grown = growths.filter(|growth| !growth.refused);
        let growth = grown.find(|growth| {
            let after = growth.pages_before.saturating_add(growth.delta_pages);
            growth.pages_before <= FIRST_HIGH_PAGE && after > FIRST_HIGH_PAGE
        })?;
        let stack = memory.stack(growth.context);
        let after = growth.pages_before.saturating_add(growth.delta_pages);
        let message = format!(
            "the memory grew from {} to {}, and so beyond 2 GiB{}: JavaScript gets addresses from there on as \
             negative numbers",
            count(growth.pages_before),
            pages(after),
            in_parentheses(&stack),
        );
        let finding = Finding::new(Code::BeyondTwoGib)
            .about(memory.first_user())
            .message(message)
            .number("pages_before", growth.pages_before)
            .number("pages_after", after)
            .stack("grew", stack)
            .advice("Glue code has to make them positive (`pointer >>> 0`) before it uses them as an index.");
        Some(finding)
    });
    findings.collect()
}
