//! Which steps of reading a module were taken, for tests.

use std::cell::RefCell;

thread_local! {
    static STEPS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Remembers that a step was taken, in this thread.
pub(super) fn count(step: &'static str) {
    STEPS.with_borrow_mut(|steps| steps.push(step));
}

/// The steps that were taken in this thread.
pub(crate) fn taken() -> Vec<&'static str> {
    STEPS.with_borrow(Clone::clone)
}
