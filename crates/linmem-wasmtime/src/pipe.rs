//! From the recorder to the analysis: beside the program, in a thread of its own, or in between.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use linmem::{Analysis, AnalysisOptions, Error, ErrorKind, Result};

/// Where a copy of a recording goes.
pub(crate) type Copy = Box<dyn Write + Send>;

/// Chunks that may wait for the analysis before the program has to.
const CHUNKS_WAITING: usize = 64;

/// An analysis that runs beside the program.
pub(crate) struct Beside {
    thread: JoinHandle<(Result<Analysis>, io::Result<()>)>,
}

/// The recorder's end of the pipe to an analysis that runs beside the program.
pub(crate) struct Chunks(SyncSender<Vec<u8>>);

impl Beside {
    /// Starts an analysis; `progress` sees it every now and then, and a copy of what it takes in is
    /// written to `copy`.
    pub(crate) fn start(
        options: AnalysisOptions,
        copy: Option<Copy>,
        progress: impl FnMut(&Analysis) + Send + 'static,
    ) -> (Chunks, Beside) {
        let (send, receive) = sync_channel(CHUNKS_WAITING);
        let analysis = Analysis::new(options);
        let thread = thread::spawn(move || analyze(&receive, analysis, Copied::to(copy), progress));
        (Chunks(send), Beside { thread })
    }

    /// Waits for the end of the recording: the analysis, and whether the copy is whole.
    pub(crate) fn finish(self) -> (Result<Analysis>, io::Result<()>) {
        self.thread.join().unwrap_or_else(|_| {
            let error = Error::new(ErrorKind::InvalidTrace, "the analysis failed");
            (Err(error), Ok(()))
        })
    }
}

fn analyze(
    chunks: &Receiver<Vec<u8>>,
    mut analysis: Analysis,
    mut copy: Copied,
    mut progress: impl FnMut(&Analysis),
) -> (Result<Analysis>, io::Result<()>) {
    let mut failure = None;
    // Where the analysis makes no sense of a recording, its copy is still wanted.
    for chunk in chunks {
        copy.write(&chunk);
        if failure.is_none() {
            failure = analysis.push(&chunk).err();
            progress(&analysis);
        }
    }
    (failure.map_or(Ok(analysis.finish()), Err), copy.finish())
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The analysis is there for as long as the recorder is.
        let _ = self.0.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An analysis that takes in the recording while the program waits, so that it always knows how things
/// stand. Each clone is the same one.
#[derive(Clone)]
pub(crate) struct InBetween(Arc<Mutex<State>>);

struct State {
    analysis: Analysis,
    failure: Option<Error>,
    copy: Copied,
}

impl InBetween {
    /// Starts an analysis, and writes a copy of what it takes in to `copy`.
    pub(crate) fn start(options: AnalysisOptions, copy: Option<Copy>) -> InBetween {
        let (analysis, copy) = (Analysis::new(options), Copied::to(copy));
        InBetween(Arc::new(Mutex::new(State { analysis, failure: None, copy })))
    }

    /// What `look` sees in the analysis.
    ///
    /// # Errors
    ///
    /// When the recording could not be taken in.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Analysis) -> T) -> Result<T> {
        let state = self.state();
        match &state.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(look(&state.analysis)),
        }
    }

    /// Whether the copy is whole.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.state().copy.finish()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for InBetween {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        state.copy.write(bytes);
        if state.failure.is_none() {
            state.failure = state.analysis.push(bytes).err();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a copy goes, until that fails; the analysis goes on without it.
struct Copied {
    to: Option<Copy>,
    failure: Option<io::Error>,
}

impl Copied {
    fn to(to: Option<Copy>) -> Copied {
        Copied { to, failure: None }
    }

    fn write(&mut self, bytes: &[u8]) {
        let written = self.to.as_mut().map_or(Ok(()), |to| to.write_all(bytes));
        self.failed(written);
    }

    fn finish(&mut self) -> io::Result<()> {
        let flushed = self.to.as_mut().map_or(Ok(()), Write::flush);
        self.failed(flushed);
        self.to = None;
        self.failure.take().map_or(Ok(()), Err)
    }

    fn failed(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.to = None;
            self.failure = Some(error);
        }
    }
}
