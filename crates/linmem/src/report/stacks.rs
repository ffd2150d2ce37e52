//! Recorded frames to stacks that people can read.

use std::cell::RefCell;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::event::ContextId;
use crate::replay::Replay;
use crate::symbolize::{SourceFrame, Symbolizer};
use crate::trace::Frame;

/// A call stack, innermost frame first. Empty if it was not taken.
pub type Stack = Vec<StackFrame>;

/// One frame of a stack; an inlined function has a frame of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackFrame {
    /// Function name, demangled.
    pub function: String,
    /// Source file, as the compiler wrote it down.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// Offset of the instruction in the original file, where there is no line.
    pub offset: Option<u32>,
    /// Whether this function was inlined into the next frame's.
    pub inlined: bool,
}

/// What gives frames their names and lines: a [`Symbolizer`].
pub trait Symbols {
    /// See [`Symbolizer::frames`].
    fn frames(&self, function: u32, offset: usize) -> Vec<SourceFrame>;
    /// See [`Symbolizer::function_name`].
    fn function_name(&self, function: u32) -> String;
}

impl Symbols for Symbolizer<'_> {
    fn frames(&self, function: u32, offset: usize) -> Vec<SourceFrame> {
        Symbolizer::frames(self, function, offset)
    }

    fn function_name(&self, function: u32) -> String {
        Symbolizer::function_name(self, function)
    }
}

/// Resolves the stacks of one instance, each frame once.
pub struct Stacks<'a> {
    replay: &'a Replay,
    symbols: &'a dyn Symbols,
    resolved: RefCell<FxHashMap<(u32, u32), Vec<SourceFrame>>>,
    /// The first context that was asked for with each stack as people see it.
    same: RefCell<FxHashMap<Vec<Place>, ContextId>>,
    first: RefCell<FxHashMap<ContextId, ContextId>>,
}

/// What people see of a frame.
type Place = (String, Option<String>, Option<u32>, Option<u32>);

impl<'a> Stacks<'a> {
    /// Resolves contexts of `replay` in the module that `symbols` knows.
    pub fn new(replay: &'a Replay, symbols: &'a dyn Symbols) -> Stacks<'a> {
        Stacks {
            replay,
            symbols,
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
                vec![named(self.symbols.function_name(function))]
            }
            Frame::Wasm { function, offset: Some(offset) } => {
                let mut resolved = self.resolved.borrow_mut();
                let sources = resolved
                    .entry((function, offset))
                    .or_insert_with(|| self.symbols.frames(function, offset as usize));
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
