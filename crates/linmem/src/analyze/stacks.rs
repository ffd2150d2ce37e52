//! Recorded frames to stacks that people can read.

use std::cell::{OnceCell, RefCell};

use rustc_hash::FxHashMap;

use crate::module::symbolize::SourceFrame;
use crate::prepared::Prepared;
use crate::replay::Replay;
use crate::replay::contexts::CallerStack;
use crate::report::{Stack, StackFrame, folded};
use crate::trace::{ContextId, Frame};

/// Resolves stacks, each frame once.
pub(crate) struct Stacks<'a, 'm> {
    replay: &'a Replay,
    modules: &'a [Prepared<'m>],
    resolved: RefCell<FxHashMap<(usize, u32, u32), Vec<SourceFrame>>>,
}

/// What a stack says where its callers were not looked at.
const NOT_TAKEN: &str = "(callers not looked at)";

/// Contexts whose stacks look the same: two calls in one line of source, or a loop that
/// the compiler unrolled, are one place to people.
#[derive(Default)]
pub(crate) struct Places {
    /// The first context that was asked for with each stack as people see it: a list of numbers of frames.
    same: RefCell<FxHashMap<Vec<u32>, ContextId>>,
    /// What people see of each recorded frame of a module, and the number of each such frame.
    seen: RefCell<FxHashMap<RecordedFrame, Vec<Seen>>>,
    numbers: RefCell<FxHashMap<SeenFrame, u32>>,
    first: RefCell<FxHashMap<ContextId, ContextId>>,
    /// By what is known of a stack whose callers were not looked at: the only callers that were seen
    /// there, if there is one.
    only_callers: OnceCell<FxHashMap<Known, Option<ContextId>>>,
}

/// What is known of a stack without its callers: the entry, and the stack inside the module.
type Known = ((usize, Option<u32>), Vec<Frame>);

/// A frame as it was recorded, and the module that it is of.
type RecordedFrame = (Option<usize>, Frame);

/// What people see of a frame: function, file, line, offset.
type SeenFrame = (String, Option<String>, Option<u32>, Option<u32>);

impl Places {
    /// The context that stands for all those that look the same. A context whose stack was not taken
    /// stands for itself.
    pub fn of(&self, context: ContextId, stacks: &Stacks<'_, '_>) -> ContextId {
        if let Some(&first) = self.first.borrow().get(&context) {
            return first;
        }
        let first = self.look_alike(context, stacks);
        self.first.borrow_mut().insert(context, first);
        first
    }

    /// For a context whose callers were not looked at: the only place with callers that was seen there, if
    /// there is one.
    pub fn only_seen(&self, context: ContextId, stacks: &Stacks<'_, '_>) -> Option<ContextId> {
        let callers = stacks.replay.contexts.caller_stack(context);
        let only_callers = self.only_callers.get_or_init(|| self.find_only_callers(stacks));
        let only = || only_callers.get(&known(stacks.replay, context)).copied().flatten();
        if callers == CallerStack::NotTaken { only() } else { None }
    }

    fn look_alike(&self, context: ContextId, stacks: &Stacks<'_, '_>) -> ContextId {
        let mut frames = Vec::new();
        stacks.for_each_recorded(context, |module, frame| {
            self.push_seen(module, frame, stacks, &mut frames);
        });
        if frames.is_empty() {
            return context;
        }
        *self.same.borrow_mut().entry(as_seen(&frames)).or_insert(context)
    }

    fn push_seen(
        &self,
        module: Option<usize>,
        frame: &Frame,
        stacks: &Stacks<'_, '_>,
        frames: &mut Vec<Seen>,
    ) {
        let mut seen = self.seen.borrow_mut();
        let known = seen.entry((module, frame.clone())).or_insert_with(|| {
            let resolved = stacks.frame(module, frame).into_iter();
            resolved.map(|frame| self.numbered(frame)).collect()
        });
        frames.extend_from_slice(known);
    }

    fn numbered(&self, frame: StackFrame) -> Seen {
        let is_library = frame.is_library();
        let mut numbers = self.numbers.borrow_mut();
        let next = numbers.len() as u32;
        let seen = (frame.function, frame.file, frame.line, frame.offset);
        Seen { number: *numbers.entry(seen).or_insert(next), is_library }
    }

    fn find_only_callers(&self, stacks: &Stacks<'_, '_>) -> FxHashMap<Known, Option<ContextId>> {
        let replay = stacks.replay;
        let mut callers: FxHashMap<Known, Option<ContextId>> = FxHashMap::default();
        for context in (0..replay.contexts.len() as u32).map(ContextId) {
            if let CallerStack::Taken(_) = replay.contexts.caller_stack(context) {
                let place = self.look_alike(context, stacks);
                let only = callers.entry(known(replay, context)).or_insert(Some(place));
                *only = only.filter(|only| *only == place);
            }
        }
        callers
    }
}

/// A frame as people see it.
#[derive(Clone, Copy)]
struct Seen {
    number: u32,
    is_library: bool,
}

/// What people see of a stack: frames of libraries are folded, so where they call is not seen.
fn as_seen(frames: &[Seen]) -> Vec<u32> {
    let mut seen: Vec<u32> = Vec::with_capacity(frames.len());
    let of_library = frames.iter().map(|frame| frame.is_library).collect();
    for (folded, frame) in folded(of_library).into_iter().zip(frames) {
        match folded {
            true if seen.last() == Some(&FOLDED) => {}
            true => seen.push(FOLDED),
            false => seen.push(frame.number),
        }
    }
    seen
}

/// Frames of libraries, whichever they are.
const FOLDED: u32 = u32::MAX;

fn known(replay: &Replay, context: ContextId) -> Known {
    (replay.contexts.entry(context), replay.contexts.inner(context).to_vec())
}

impl<'a, 'm> Stacks<'a, 'm> {
    /// Resolves contexts of `replay`, whose modules are these.
    pub fn new(replay: &'a Replay, modules: &'a [Prepared<'m>]) -> Stacks<'a, 'm> {
        Stacks { replay, modules, resolved: RefCell::default() }
    }

    /// The stack of a context.
    pub fn of(&self, context: ContextId) -> Stack {
        let mut stack = Stack::new();
        self.for_each_recorded(context, |module, frame| stack.extend(self.frame(module, frame)));
        stack
    }

    /// The frames of a context's stack as they were recorded, each with its module.
    fn for_each_recorded(&self, context: ContextId, mut each: impl FnMut(Option<usize>, &Frame)) {
        let contexts = &self.replay.contexts;
        let (module, entry) = contexts.entry(context);
        let inner = contexts.inner(context);
        inner.iter().for_each(|frame| each(Some(module), frame));
        if let (true, Some(function)) = (inner.is_empty(), entry) {
            each(Some(module), &Frame::Wasm { function, offset: None });
        }
        match contexts.caller_stack(context) {
            CallerStack::Unrecorded => {}
            CallerStack::NotTaken => each(None, &Frame::Host(NOT_TAKEN.to_owned())),
            CallerStack::Taken(caller) => {
                let (module, frames) = contexts.host(caller);
                frames.iter().for_each(|frame| each(module, frame));
            }
        }
    }

    /// The part of a context's stack outside all modules: what the host did before it called the first.
    pub fn outside(&self, context: ContextId) -> Stack {
        let contexts = &self.replay.contexts;
        let CallerStack::Taken(caller) = contexts.caller_stack(context) else {
            return Stack::new();
        };
        let (module, frames) = contexts.host(caller);
        let last = frames.iter().rposition(|frame| frame.function().is_some());
        self.resolve(module, &frames[last.map_or(0, |last| last + 1)..])
    }

    /// A recorded stack in a module.
    pub fn resolve(&self, module: Option<usize>, frames: &[Frame]) -> Stack {
        frames.iter().flat_map(|frame| self.frame(module, frame)).collect()
    }

    fn frame(&self, module: Option<usize>, frame: &Frame) -> Vec<StackFrame> {
        let known = module.and_then(|number| Some((number, self.modules.get(number)?)));
        match (frame, known) {
            (Frame::Host(text), _) => vec![named(text.clone())],
            (Frame::Wasm { function, .. }, None) => vec![named(format!("function {function}"))],
            (&Frame::Wasm { function, offset: None }, Some((_, prepared))) => {
                vec![named(prepared.function_name(function))]
            }
            (&Frame::Wasm { function, offset: Some(offset) }, Some((number, prepared))) => {
                let mut resolved = self.resolved.borrow_mut();
                let sources = resolved
                    .entry((number, function, offset))
                    .or_insert_with(|| prepared.frames(function, offset as usize));
                let located = |source: &SourceFrame| StackFrame {
                    function: source.function.clone(),
                    file: source.file.clone(),
                    line: source.line,
                    column: source.column,
                    offset: source.line.is_none().then_some(offset),
                    inlined: source.inlined,
                };
                sources.iter().map(located).collect()
            }
        }
    }
}

/// A frame of which only a name is known.
fn named(function: String) -> StackFrame {
    StackFrame { function, file: None, line: None, column: None, offset: None, inlined: false }
}
