//! Recorded frames to stacks that people can read.

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use crate::module::symbolize::SourceFrame;
use crate::prepared::Prepared;
use crate::replay::Replay;
use crate::report::{Stack, StackFrame};
use crate::trace::{ContextId, Frame};

/// Resolves stacks in one module, each frame once.
pub(crate) struct Stacks<'a, 'm> {
    replay: &'a Replay,
    prepared: &'a Prepared<'m>,
    resolved: RefCell<FxHashMap<(u32, u32), Vec<SourceFrame>>>,
}

/// Contexts of one instance whose stacks look the same: two calls in one line of source, or a loop that
/// the compiler unrolled, are one place to people.
#[derive(Default)]
pub(crate) struct Places {
    /// The first context that was asked for with each stack as people see it.
    same: RefCell<FxHashMap<Vec<SeenFrame>, ContextId>>,
    first: RefCell<FxHashMap<ContextId, ContextId>>,
}

/// What people see of a frame: function, file, line, offset.
type SeenFrame = (String, Option<String>, Option<u32>, Option<u32>);

impl Places {
    /// The context that stands for all those that look the same. A context whose stack was not taken
    /// stands for itself.
    pub fn of(&self, context: ContextId, stacks: &Stacks<'_, '_>) -> ContextId {
        if let Some(&first) = self.first.borrow().get(&context) {
            return first;
        }
        let frames = stacks.of(context);
        let first = if frames.is_empty() {
            context
        } else {
            let seen = frames.into_iter().map(|f| (f.function, f.file, f.line, f.offset));
            *self.same.borrow_mut().entry(seen.collect()).or_insert(context)
        };
        self.first.borrow_mut().insert(context, first);
        first
    }
}

impl<'a, 'm> Stacks<'a, 'm> {
    /// Resolves contexts of `replay` in a module.
    pub fn new(replay: &'a Replay, prepared: &'a Prepared<'m>) -> Stacks<'a, 'm> {
        Stacks { replay, prepared, resolved: RefCell::default() }
    }

    /// The stack of a context.
    pub fn of(&self, context: ContextId) -> Stack {
        self.resolve(self.replay.stack(context))
    }

    /// A recorded stack.
    pub fn resolve(&self, frames: &[Frame]) -> Stack {
        frames.iter().flat_map(|frame| self.frame(frame)).collect()
    }

    fn frame(&self, frame: &Frame) -> Vec<StackFrame> {
        let named = |function: String| StackFrame {
            function,
            file: None,
            line: None,
            column: None,
            offset: None,
            inlined: false,
        };
        match *frame {
            Frame::Host(ref text) => vec![named(text.clone())],
            Frame::Wasm { function, offset: None } => {
                vec![named(self.prepared.function_name(function))]
            }
            Frame::Wasm { function, offset: Some(offset) } => {
                let mut resolved = self.resolved.borrow_mut();
                let sources = resolved
                    .entry((function, offset))
                    .or_insert_with(|| self.prepared.frames(function, offset as usize));
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
