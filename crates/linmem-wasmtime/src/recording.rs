//! What is recorded in one store, and the report on it.

use std::io::Write;
use std::time::Instant;

use linmem::record::{Hook, Recorder};
use linmem::units::count;
use linmem::{AnalysisOptions, Error, ErrorKind, Report, Result};
use wasmtime::{AsContext, AsContextMut, Extern, WasmBacktrace};

use crate::pipe::InBetween;
use crate::seen::{Lent, Seen};
use crate::watched::Watched;

/// What is recorded in one store: a field of the store's data. It holds what is live, not what happened: a
/// store of a million calls holds no more than one of a thousand.
///
/// It begins with the first call of a [`Watched`] module's instance in the store, and costs nothing before.
#[derive(Default)]
pub struct Recording {
    /// Out of here while it works.
    live: Option<Box<Live>>,
}

impl Recording {
    /// What the instances in a store did so far, and what nothing points to at this instant. `recording`
    /// finds the recording in the store's data, as in [`Watched::add_to_linker`].
    ///
    /// It can be asked for as often as one likes. While code of an instance runs, blocks cannot be judged,
    /// and the report says so: the best time is between two calls.
    ///
    /// # Errors
    ///
    /// [`InvalidTrace`](ErrorKind::InvalidTrace) when linmem cannot read its own recording.
    pub fn report<C: AsContextMut<Data: 'static>>(
        store: C,
        recording: impl Fn(&mut C::Data) -> &mut Recording,
    ) -> Result<Report> {
        Recording::with(store, recording, |live, store| live.report(store))
    }

    /// A recording that goes elsewhere.
    pub(crate) fn into_sink(sink: impl Write + Send + 'static) -> Recording {
        Recording { live: Some(Box::new(Live::new(sink, None))) }
    }

    /// Works with the recording of a store.
    pub(crate) fn with<C: AsContextMut, R>(
        mut store: C,
        recording: impl Fn(&mut C::Data) -> &mut Recording,
        work: impl FnOnce(&mut Live, &mut C) -> R,
    ) -> R {
        let mut live = Recording::take(&mut store, &recording);
        let result = work(&mut live, &mut store);
        recording(store.as_context_mut().data_mut()).put_back(live);
        result
    }

    /// Takes the recording out of its store while it works with what is in there.
    #[inline(always)]
    pub(crate) fn take<C: AsContextMut>(
        store: &mut C,
        recording: impl Fn(&mut C::Data) -> &mut Recording,
    ) -> Box<Live> {
        let live = recording(store.as_context_mut().data_mut()).live.take();
        live.unwrap_or_else(Live::begin)
    }

    /// Puts it back.
    #[inline(always)]
    pub(crate) fn put_back(&mut self, live: Box<Live>) {
        self.live = Some(live);
    }

    /// Ends a recording that goes elsewhere.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] when it could not be written.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.live.take().map_or(Ok(()), |live| live.recorder.finish())
    }
}

/// A recording that has begun.
pub(crate) struct Live {
    recorder: Recorder,
    seen: Seen,
    /// `None` where the recording goes elsewhere.
    analysis: Option<InBetween>,
}

impl Live {
    #[cold]
    fn begin() -> Box<Live> {
        let analysis = InBetween::start(AnalysisOptions::default(), None);
        Box::new(Live::new(analysis.clone(), Some(analysis)))
    }

    fn new(sink: impl Write + Send + 'static, analysis: Option<InBetween>) -> Live {
        let started = Instant::now();
        let clock = move || started.elapsed().as_micros() as u64;
        Live { recorder: Recorder::new(sink, clock), seen: Seen::default(), analysis }
    }

    /// Whether an instance has this number.
    #[inline]
    pub(crate) fn knows(&self, instance: usize) -> bool {
        instance < self.seen.instances()
    }

    /// An instance of which nothing is known yet, whose exports are these, gets a number.
    #[cold]
    pub(crate) fn meet<C: AsContextMut<Data: 'static>>(
        &mut self,
        watched: &Watched,
        store: &mut C,
        export: impl Fn(&mut C, &str) -> Option<Extern>,
    ) -> usize {
        let number = self.seen.meet(&mut self.recorder, watched, store, export);
        self.with_instance(number, store, |recorder, guest| recorder.completed(number, guest));
        number
    }

    /// An instance that cannot be looked at gets a number.
    pub(crate) fn announce(&mut self, watched: &Watched, pages: u64, max_pages: Option<u64>) {
        self.seen.announce(&mut self.recorder, watched, pages, max_pages);
    }

    /// Says how many pages memories may grow to, at most.
    pub(crate) fn cap(&mut self, max_pages: Option<u64>) {
        self.seen.max_pages = max_pages;
    }

    /// An instance called a hook.
    #[inline(always)]
    pub(crate) fn hook<C: AsContextMut<Data: 'static>>(
        &mut self,
        instance: usize,
        hook: Hook,
        args: &[u64],
        store: &mut C,
    ) -> u32 {
        if let (Hook::Grown, &[_, previous, ..]) = (hook, args) {
            self.grown(instance, previous, store);
        }
        let guest = &mut Lent { store, seen: &mut self.seen, instance };
        self.recorder.hook(instance, hook, args, guest)
    }

    /// An instance grew its memory, which had so many pages before. Where that was refused, it is a number
    /// that no memory has.
    fn grown(&mut self, instance: usize, previous: u64, store: &impl AsContext) {
        let (memory, pages) = self.seen.size(instance, store);
        if pages.is_some_and(|pages| previous <= pages) {
            self.recorder.size(memory, previous);
        }
    }

    /// Works with the recorder, to which an instance is lent.
    pub(crate) fn with_instance<C, R>(
        &mut self,
        instance: usize,
        store: &mut C,
        work: impl FnOnce(&mut Recorder, &mut Lent<'_, C>) -> R,
    ) -> R {
        work(&mut self.recorder, &mut Lent { store, seen: &mut self.seen, instance })
    }

    fn report<C: AsContextMut<Data: 'static>>(&mut self, store: &mut C) -> Result<Report> {
        const ELSEWHERE: &str = "the recording goes elsewhere, so there is nothing to report";
        self.take_snapshots(store);
        self.recorder.flush();
        let analysis = self.analysis.as_ref();
        let analysis = analysis.ok_or_else(|| Error::new(ErrorKind::InvalidRequest, ELSEWHERE))?;
        let mut report = analysis.with(|analysis| analysis.report())??;
        report.notes.extend(self.cut_stacks(store));
        report.notes.extend(self.seen.notes());
        Ok(report)
    }

    /// Records the state of all instances that can be looked at.
    fn take_snapshots<C: AsContextMut<Data: 'static>>(&mut self, store: &mut C) {
        let frames_live = !WasmBacktrace::force_capture(store.as_context()).frames().is_empty();
        for (memory, pages) in self.seen.sizes(store) {
            self.recorder.size(memory, pages);
        }
        for instance in 0..self.seen.instances() {
            if self.seen.can_look_at(instance) {
                self.with_instance(instance, store, |recorder, guest| {
                    recorder.snapshot(instance, guest, frames_live);
                });
            }
        }
    }

    /// What the engine's limit hides.
    fn cut_stacks(&self, store: &impl AsContext) -> Option<String> {
        let (cut, taken) = self.seen.stacks();
        let limit = crate::seen::max_frames(store.as_context().engine());
        (cut > 0).then(|| {
            format!(
                "{} of {} call stacks fill the {limit} frames that the engine keeps of each, so outer \
                 frames may be missing; raise `Config::wasm_backtrace_max_frames`",
                count(cut),
                count(taken)
            )
        })
    }
}
