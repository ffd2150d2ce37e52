//! A running instance whose exports can be called one by one.

use linmem::report::{AfterCall, Repeats, Report, Totals, Witnesses};
use linmem::{Analysis, Error, ErrorKind, Prepared, RepeatsBuilder, Result};
use wasmtime::{AsContextMut, FuncType, Instance, Val};

use crate::pipe::InBetween;
use crate::run::Outcome;
use crate::running::Running;
use crate::seen::integer;

/// A running instance whose exports can be called one by one. What is recorded is analysed at once, so
/// that a session of a million calls holds no more than one of a thousand.
///
/// ```
/// use linmem_wasmtime::{Run, Val};
/// let wasm = wat::parse_str(
///     r#"(module
///          (memory (export "memory") 1)
///          (global $next (mut i32) (i32.const 4096))
///          (func (export "malloc") (param $size i32) (result i32)
///            (global.get $next)
///            (global.set $next (i32.add (global.get $next) (local.get $size))))
///          (func (export "free") (param i32)))"#,
/// ).unwrap();
/// let mut session = Run::new(&wasm)?.start()?;
/// let pointer = session.call("malloc", &[Val::I32(100)])?[0].unwrap_i32();
/// assert_eq!(session.report()?.totals.at_end.bytes, 100);
/// session.call("free", &[Val::I32(pointer)])?;
/// assert_eq!(session.report()?.totals.at_end.bytes, 0);
/// # Ok::<(), linmem::Error>(())
/// ```
pub struct Session<'a> {
    running: Running,
    prepared: Prepared<'a>,
    /// `None` where the recording goes elsewhere.
    analysis: Option<InBetween>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        running: Running,
        prepared: Prepared<'a>,
        analysis: Option<InBetween>,
    ) -> Session<'a> {
        Session { running, prepared, analysis }
    }

    /// Calls an export.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] when there is no such function or the arguments do not fit
    /// its type; [`ErrorKind::Engine`] when the guest traps or exits, or has done so before.
    pub fn call(&mut self, export: &str, args: &[Val]) -> Result<Vec<Val>> {
        if let Some(ended) = self.running.ended_text() {
            return Err(Error::new(
                ErrorKind::Engine,
                format!("cannot call `{export}`: the instance has ended ({ended})"),
            ));
        }
        let results = self.running.call(export, args)?;
        results.ok_or_else(|| {
            let ended = self.running.ended_text().unwrap_or_default();
            Error::new(ErrorKind::Engine, format!("`{export}`: {ended}"))
        })
    }

    /// Does the same work again and again, and says whether memory and live bytes come to rest: the
    /// leak test. `name` is what the result calls the work.
    ///
    /// ```
    /// # use linmem_wasmtime::{Run, Val};
    /// # let wasm = include_bytes!("../../../examples/strings.wasm");
    /// let mut session = Run::new(wasm)?.start()?;
    /// let repeats = session.repeat("round trip", 16, |session| {
    ///     let block = session.call("allocate", &[Val::I32(131_073)])?;
    ///     session.call("deallocate", &block)?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(repeats.problem(), None);
    ///
    /// let leak = session.repeat("leak", 16, |session| {
    ///     session.call("allocate", &[Val::I32(100)]).map(drop)
    /// })?;
    /// let problem = leak.problem().unwrap();
    /// assert!(problem.contains("100 live bytes more with each"), "{problem}");
    ///
    /// // A test that tests nothing.
    /// let idle = session.repeat("nothing", 16, |_| Ok(()))?;
    /// assert!(idle.problem().unwrap().contains("allocated nothing in this instance"));
    /// # Ok::<(), linmem::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`report`](Session::report). That the work itself fails is in [`Repeats::failure`].
    pub fn repeat(
        &mut self,
        name: &str,
        times: u64,
        mut work: impl FnMut(&mut Session<'a>) -> Result<()>,
    ) -> Result<Repeats> {
        self.repeat_with_details(name, times, |session| work(session).map(|()| Details::default()))
    }

    /// Like [`repeat`](Session::repeat), for work that says more about each time than the heap does. Any
    /// error of the work will do that can be shown.
    ///
    /// # Errors
    ///
    /// As for [`repeat`](Session::repeat).
    pub fn repeat_with_details<E: std::fmt::Display>(
        &mut self,
        name: &str,
        times: u64,
        mut work: impl FnMut(&mut Session<'a>) -> Result<Details, E>,
    ) -> Result<Repeats> {
        let mut before = self.totals()?;
        let start = self.after(&before, &before, Details::default());
        let mut repeats = RepeatsBuilder::new(name, times, start);
        for _ in 0..times {
            let details = match work(self) {
                Ok(details) => details,
                Err(error) => return Ok(repeats.finish(Some(format!("{error:#}")))),
            };
            let now = self.totals()?;
            repeats.add(self.after(&before, &now, details));
            before = now;
        }
        Ok(repeats.finish(None))
    }

    /// What there is to know after a call: the figures before it, and now.
    fn after(&mut self, before: &Totals, now: &Totals, details: Details) -> AfterCall {
        let mut after = AfterCall::new(self.witnesses().unwrap_or_default(), before, now);
        (after.texts_at, after.result) = (details.texts_at, details.result);
        after
    }

    /// What the heap did so far, and what nothing points to at this instant.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidTrace`] when linmem cannot read its own recording;
    /// [`ErrorKind::InvalidRequest`] when that goes elsewhere ([`Run::start_into`](crate::Run::start_into)).
    pub fn report(&mut self) -> Result<Report> {
        // An instance that has ended left its last state behind, with its frames.
        if self.running.ended_text().is_none() {
            self.running.take_snapshot();
        }
        self.running.flush();
        self.analyzed(|analysis, prepared| analysis.report_on(prepared))?
    }

    /// Live bytes: the sizes of all blocks that are allocated and not freed.
    ///
    /// # Errors
    ///
    /// As for [`report`](Session::report).
    pub fn live_bytes(&mut self) -> Result<u64> {
        Ok(self.totals()?.at_end.bytes)
    }

    /// What the heap did so far, in figures.
    ///
    /// # Errors
    ///
    /// As for [`report`](Session::report).
    pub fn totals(&mut self) -> Result<Totals> {
        self.running.flush();
        self.analyzed(|analysis, _| analysis.totals())
    }

    /// Which allocation, counted from 1, made the live block that starts at this address; `None` if there is none, as
    /// after a callee has freed it.
    ///
    /// # Errors
    ///
    /// As for [`report`](Session::report).
    pub fn allocation_at(&mut self, address: u64) -> Result<Option<u64>> {
        self.running.flush();
        self.analyzed(|analysis, _| analysis.allocation_at(address))
    }

    fn analyzed<T>(&self, look: impl FnOnce(&Analysis, &Prepared<'a>) -> T) -> Result<T> {
        const ELSEWHERE: &str =
            "the recording goes elsewhere, so the session has nothing to report";
        let analysis = self.analysis.as_ref();
        let analysis = analysis.ok_or_else(|| Error::new(ErrorKind::InvalidRequest, ELSEWHERE))?;
        analysis.with(|analysis| look(analysis, &self.prepared))
    }

    /// Size of memory 0 in pages, as the host sees it.
    pub fn pages(&self) -> u64 {
        let store = &self.running.store;
        store.data().memory.map_or(0, |memory| memory.size(store))
    }

    /// Size of memory 0 in pages, as told by each witness that can know it. `None` without a memory, or
    /// when the instance has ended.
    pub fn witnesses(&mut self) -> Option<Witnesses> {
        let memory = self.running.store.data().memory?;
        if self.running.ended_text().is_some() {
            return None;
        }
        let size = self.running.size_function()?;
        let store = &mut self.running.store;
        let mut executed = [Val::I32(0)];
        size.call(&mut *store, &[], &mut executed).ok()?;
        let host_view = memory.data_size(&*store) as u64 / memory.page_size(&*store);
        let grow_zero = memory.grow(&mut *store, 0).ok()?;
        Some(Witnesses::new(host_view, grow_zero, integer(&executed[0])?))
    }

    /// The type of an exported function.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] when there is no such function; the message lists those that
    /// there are.
    pub fn function_type(&mut self, export: &str) -> Result<FuncType> {
        match self.running.export(export) {
            Some(function) => Ok(function.ty(&self.running.store)),
            None => Err(self.running.no_such_function(export)),
        }
    }

    /// The instance, in [`store`](Session::store), for libraries that work on these. `None` when the
    /// module's start function did not return.
    pub fn instance(&self) -> Option<Instance> {
        self.running.store.data().instance
    }

    /// Whether addresses in memory 0 have 64 bits.
    pub fn has_64_bit_memory(&self) -> bool {
        self.prepared.memory().is_some_and(|memory| memory.is_64)
    }

    /// The engine's store. What is called in it is recorded.
    pub fn store(&mut self) -> impl AsContextMut<Data: Send> {
        &mut self.running.store
    }

    /// Memory 0, to read and write as any host would.
    pub fn memory(&mut self) -> &mut [u8] {
        match self.running.store.data().memory {
            Some(memory) => memory.data_mut(&mut self.running.store),
            None => &mut [],
        }
    }

    /// Ends the recording.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] when the recording could not be written.
    pub fn finish(self) -> Result<Outcome> {
        let outcome = self.running.finish()?;
        let kept = self.analysis.map_or(Ok(()), |analysis| analysis.finish());
        Ok(Outcome { kept, ..outcome })
    }
}

/// What the caller of an export knows about a call.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Details {
    /// Where the texts were that the host passed in.
    pub texts_at: Vec<u64>,
    /// What came back.
    pub result: String,
}

impl Details {
    /// Where the texts were that the host passed in, and what came back.
    pub fn new(texts_at: Vec<u64>, result: String) -> Details {
        Details { texts_at, result }
    }
}
