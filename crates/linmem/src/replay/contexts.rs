//! Call stacks put together: the part inside a module, which events name, and the part of the host that
//! entered there.

use rustc_hash::FxHashMap;

use super::damaged;
use crate::error::Result;
use crate::trace::{ContextId, Entry, Frame, HostStackId};

/// Frames of a part that are kept, innermost first. Many findings can show the same stack.
const MAX_FRAMES: usize = 256;

/// Lookups that are remembered, a power of two: most events come from few places.
const RECENT: usize = 1 << 12;

/// The stacks of a recording.
///
/// A trace numbers the two parts of a stack apart. Here a [`ContextId`] stands for a whole stack.
#[derive(Debug)]
pub struct Contexts {
    inner: Vec<Vec<Frame>>,
    /// Parts inside a module that begin at another instruction than the trace says, numbered down from the largest number.
    derived: Vec<Vec<Frame>>,
    derived_numbers: FxHashMap<(ContextId, u32), ContextId>,
    host: Vec<HostStack>,
    callers: Vec<Caller>,
    caller_numbers: FxHashMap<Caller, CallerId>,
    whole: Vec<WholeStack>,
    numbers: FxHashMap<Parts, ContextId>,
    recent: Vec<(Parts, ContextId)>,
}

/// A stack of the host.
#[derive(Debug)]
struct HostStack {
    /// Whose frames its [`Frame::Wasm`] are.
    module: Option<usize>,
    frames: Vec<Frame>,
}

/// The callers of an instance: an index into the callers of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct CallerId(u32);

/// What is known of the callers of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Caller {
    /// The function that was called, if the recording says it.
    function: Option<u32>,
    stack: CallerStack,
}

/// What is known of the host's part of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerStack {
    /// The recording speaks of no callers.
    Unrecorded,
    /// It was not taken.
    NotTaken,
    /// It was taken.
    Taken(HostStackId),
}

/// The two parts of a stack, as numbers.
type Parts = (Option<ContextId>, CallerId, u32);

/// A whole stack.
#[derive(Debug, Clone, Copy)]
struct WholeStack {
    module: usize,
    inner: Option<ContextId>,
    caller: Caller,
}

impl Default for Contexts {
    fn default() -> Contexts {
        let unrecorded = Caller { function: None, stack: CallerStack::Unrecorded };
        Contexts {
            inner: Vec::new(),
            derived: Vec::new(),
            derived_numbers: FxHashMap::default(),
            host: Vec::new(),
            callers: vec![unrecorded],
            caller_numbers: FxHashMap::default(),
            whole: Vec::new(),
            numbers: FxHashMap::default(),
            recent: vec![((None, CallerId(u32::MAX), 0), ContextId(0)); RECENT],
        }
    }
}

impl Contexts {
    /// Adds the next part inside a module.
    pub(super) fn add_inner(&mut self, mut frames: Vec<Frame>) {
        frames.truncate(MAX_FRAMES);
        self.inner.push(frames);
    }

    /// Adds the next part of the host.
    pub(super) fn add_host(&mut self, module: Option<usize>, mut frames: Vec<Frame>) {
        frames.truncate(MAX_FRAMES);
        self.host.push(HostStack { module, frames });
    }

    /// The callers of an entry.
    pub(super) fn caller(&mut self, entry: &Entry) -> Result<CallerId> {
        let stack = match entry.caller {
            None => CallerStack::NotTaken,
            Some(stack) => CallerStack::Taken(self.checked(stack)?),
        };
        Ok(self.caller_id(Caller { function: Some(entry.function), stack }))
    }

    fn caller_id(&mut self, caller: Caller) -> CallerId {
        *self.caller_numbers.entry(caller).or_insert_with(|| {
            self.callers.push(caller);
            CallerId(self.callers.len() as u32 - 1)
        })
    }

    /// The stack at the beginning of a call of a function of `module` by the host.
    pub(super) fn of_entry(
        &mut self,
        function: u32,
        caller: Option<HostStackId>,
        module: usize,
    ) -> Result<ContextId> {
        let stack = match caller {
            Some(stack) => CallerStack::Taken(self.checked(stack)?),
            // A host without a stack of its own.
            None if self.host.is_empty() => CallerStack::Unrecorded,
            None => CallerStack::NotTaken,
        };
        let caller = self.caller_id(Caller { function: Some(function), stack });
        Ok(self.put_together((None, caller, module as u32)))
    }

    /// The whole stack of an event of an instance of `module`, which `caller` entered.
    #[inline]
    pub(super) fn of_event(
        &mut self,
        inner: ContextId,
        caller: CallerId,
        module: usize,
    ) -> Result<ContextId> {
        let parts = (Some(inner), caller, module as u32);
        let slot = (inner.0 ^ caller.0.wrapping_mul(0x9e37_79b1)) as usize % RECENT;
        let (known, context) = self.recent[slot];
        if known == parts {
            return Ok(context);
        }
        if inner.0 as usize >= self.inner.len() {
            return Err(damaged("an event names a call stack that the trace has not given"));
        }
        let context = self.put_together(parts);
        self.recent[slot] = (parts, context);
        Ok(context)
    }

    /// The whole stack of an access by an instruction of a function, given the stack after it: what the function has called
    /// meanwhile has returned, or is not to blame.
    pub(super) fn of_access(
        &mut self,
        after: ContextId,
        (function, instruction): (Option<u32>, u32),
        caller: CallerId,
        module: usize,
    ) -> Result<ContextId> {
        let stack = self
            .inner
            .get(after.0 as usize)
            .ok_or_else(|| damaged("an access names a call stack that the trace has not given"))?;
        let Some(function) = function else { return self.of_event(after, caller, module) };
        let derived = &mut self.derived;
        let inner = *self.derived_numbers.entry((after, instruction)).or_insert_with(|| {
            let own = stack.iter().position(|frame| frame.function() == Some(function));
            let callers = own.map_or(stack.len(), |own| own + 1);
            let own = Frame::Wasm { function, offset: Some(instruction) };
            derived.push(std::iter::once(own).chain(stack[callers..].iter().cloned()).collect());
            ContextId(u32::MAX - (derived.len() as u32 - 1))
        });
        Ok(self.put_together((Some(inner), caller, module as u32)))
    }

    /// The whole stack of what the host does.
    pub(super) fn of_host(&mut self, stack: HostStackId) -> Result<ContextId> {
        let stack = CallerStack::Taken(self.checked(stack)?);
        let caller = self.caller_id(Caller { function: None, stack });
        Ok(self.put_together((None, caller, 0)))
    }

    fn checked(&self, stack: HostStackId) -> Result<HostStackId> {
        match self.host.get(stack.0 as usize) {
            Some(_) => Ok(stack),
            None => Err(damaged("a record names a stack of the host that the trace has not given")),
        }
    }

    fn put_together(&mut self, parts: Parts) -> ContextId {
        let (inner, caller, module) = parts;
        let caller = self.callers[caller.0 as usize];
        *self.numbers.entry(parts).or_insert_with(|| {
            self.whole.push(WholeStack { module: module as usize, inner, caller });
            ContextId(self.whole.len() as u32 - 1)
        })
    }

    /// How many whole stacks there are.
    pub fn len(&self) -> usize {
        self.whole.len()
    }

    /// The part of a stack inside its module, innermost frame first; empty if it was not taken.
    pub fn inner(&self, context: ContextId) -> &[Frame] {
        let inner = self.whole.get(context.0 as usize).and_then(|whole| whole.inner);
        inner.map_or(&[], |inner| match self.inner.get(inner.0 as usize) {
            Some(frames) => frames,
            None => &self.derived[(u32::MAX - inner.0) as usize],
        })
    }

    /// The module of a stack, and the function that the host called, if the recording says it.
    pub fn entry(&self, context: ContextId) -> (usize, Option<u32>) {
        let whole = self.whole.get(context.0 as usize);
        whole.map_or((0, None), |whole| (whole.module, whole.caller.function))
    }

    /// What is known of the host's part of a stack.
    pub fn caller_stack(&self, context: ContextId) -> CallerStack {
        let whole = self.whole.get(context.0 as usize);
        whole.map_or(CallerStack::Unrecorded, |whole| whole.caller.stack)
    }

    /// The frames of a stack of the host, and the module that its [`Frame::Wasm`] are of.
    pub fn host(&self, stack: HostStackId) -> (Option<usize>, &[Frame]) {
        let host = self.host.get(stack.0 as usize);
        host.map_or((None, &[]), |host| (host.module, &host.frames))
    }
}
