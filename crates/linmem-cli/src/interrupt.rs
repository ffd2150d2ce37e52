//! Ctrl-C: the first stops what runs, so that it is reported on; the second ends linmem.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

/// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// Most programs have stopped by then.
const PATIENCE: Duration = Duration::from_secs(1);

/// Calls `first` at the first Ctrl-C, and says after a while what the second one does.
pub fn on_interrupt(first: impl Fn() + Send + 'static) -> Result<()> {
    static WAS_INTERRUPTED: AtomicBool = AtomicBool::new(false);
    let handler = move || {
        if WAS_INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED);
        }
        first();
        sleep(PATIENCE);
        anstream::eprintln!(
            "linmem: the program still runs; Ctrl-C again ends it without a report"
        );
    };
    ctrlc::set_handler(handler).context("cannot wait for Ctrl-C")
}
