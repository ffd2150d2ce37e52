//! Stopping a program that runs, from another thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::Notify;
use wasmtime::Engine;

use crate::watched::Watched;

/// Stops a program that runs, so that it can be reported on: from a signal handler's thread, or after a time. Each
/// clone stops the same one.
///
/// A program is stopped at its next allocation, free, growth or call from outside, and while it waits for WASI: for
/// time to pass, or for input. In code that does nothing of that it is stopped only if it has a
/// [timeout](crate::Run::timeout), since looking costs time: a sixth of what such code takes.
#[derive(Clone, Default)]
pub struct Stopper(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<Request>,
    notify: Notify,
}

#[derive(Default)]
struct Request {
    reason: Option<String>,
    running: Option<(Engine, Watched)>,
}

impl Stopper {
    /// Stops the program, now or as soon as it has started. `reason` is shown in the report, as in `stopped:
    /// interrupted`. Only the first reason counts.
    pub fn stop(&self, reason: &str) {
        let mut state = self.state();
        state.reason.get_or_insert_with(|| reason.to_owned());
        if let Some((engine, watched)) = &state.running {
            watched.stop();
            engine.increment_epoch();
        }
        self.0.notify.notify_one();
    }

    /// A module is about to run.
    pub(crate) fn runs(&self, engine: &Engine, watched: &Watched) {
        let mut state = self.state();
        state.running = Some((engine.clone(), watched.clone()));
        if state.reason.is_some() {
            watched.stop();
        }
    }

    /// How the program ended, in words, if it was stopped.
    pub(crate) fn message(&self) -> Option<String> {
        self.state().reason.as_ref().map(|reason| format!("stopped: {reason}"))
    }

    /// Ready when the program is to stop.
    pub(crate) async fn stopped(&self) {
        if self.message().is_none() {
            self.0.notify.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, Request> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops a program that runs for too long.
pub(crate) struct Watchdog {
    /// Dropping it tells the thread that the program has ended.
    _running: mpsc::Sender<()>,
}

impl Watchdog {
    /// From now on the program has so much time.
    pub(crate) fn start(stopper: Stopper, limit: Duration) -> Watchdog {
        let (running, ended) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if ended.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                stopper.stop("the time allowed is over");
            }
        });
        Watchdog { _running: running }
    }
}
