//! Recorded frames to stacks that people can read.

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use crate::module::symbolize::SourceFrame;
use crate::prepared::Prepared;
use crate::replay::Replay;
use crate::report::{Stack, StackFrame};
use crate::trace::{ContextId, Frame};

/// Resolves the stacks of one instance, each frame once.
pub struct Stacks<'a, 'm> {
    replay: &'a Replay,
    prepared: &'a Prepared<'m>,
    resolved: RefCell<FxHashMap<(u32, u32), Vec<SourceFrame>>>,
    /// The first context that was asked for with each stack as people see it.
    same: RefCell<FxHashMap<Vec<Place>, ContextId>>,
    first: RefCell<FxHashMap<ContextId, ContextId>>,
}

/// What people see of a frame.
type Place = (String, Option<String>, Option<u32>, Option<u32>);

impl<'a, 'm> Stacks<'a, 'm> {
    /// Resolves contexts of `replay` in a module.
    pub fn new(replay: &'a Replay, prepared: &'a Prepared<'m>) -> Stacks<'a, 'm> {
        Stacks {
            replay,
            prepared,
            resolved: RefCell::default(),
            same: RefCell::default(),
            first: RefCell::default(),
        }
    }

    /// The stack of a context.
    pub fn of(&self, context: ContextId) -> Stack {
        self.resolve(self.replay.stack(context))
    }

    /// A context that stands for all those whose stacks look the same: two calls in one line of
    /// source, or a loop that the compiler unrolled, are one place to people. Where a stack was
    /// not taken, a context stands for itself.
    pub fn representative(&self, context: ContextId) -> ContextId {
        if let Some(&first) = self.first.borrow().get(&context) {
            return first;
        }
        let frames = self.of(context);
        let first = if frames.is_empty() {
            context
        } else {
            let places = frames.into_iter().map(|f| (f.function, f.file, f.line, f.offset));
            *self.same.borrow_mut().entry(places.collect()).or_insert(context)
        };
        self.first.borrow_mut().insert(context, first);
        first
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
