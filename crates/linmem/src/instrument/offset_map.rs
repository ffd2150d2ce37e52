//! From an instrumented module back to the original: function indices and code offsets.

use wasmparser::{Parser, Payload};

use super::contexts::Step;
use crate::error::{Error, Result};
use crate::module::Module;
use crate::trace::Frame;

/// The way back from an instrumented module to the original.
#[derive(Debug, Clone, Default)]
pub struct OffsetMap {
    /// By function index of the instrumented module.
    origins: Vec<Origin>,
    /// `(offset in the instrumented file, offset in the original file)`, sorted; between two
    /// points both advance alike.
    points: Vec<(usize, usize)>,
    /// For each point, what the code before it does to the calling context, for the call that stands there.
    steps: Vec<Step>,
}

/// Where a function of an instrumented module comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is this function of the original.
    Function(u32),
    /// It stands in for this allocator function of the original.
    Wrapper(u32),
    /// The host calls it in place of this function of the original.
    Entry(u32),
    /// The module calls it in place of this imported function.
    Stub(u32),
    /// The original has nothing like it.
    Added,
}

/// Where offsets of rewritten bodies lead, before it is known where the bodies lie.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Points {
    /// `(offset in the new body, offset in the original file)` wherever their difference changes; all
    /// bodies, one after another.
    points: Vec<(usize, usize)>,
    /// For each point, what the code before it does to the calling context.
    steps: Vec<Step>,
    /// For each body the number of points up to its end.
    body_ends: Vec<usize>,
}

impl Points {
    /// Adds a point of the body that is being written.
    pub(super) fn add(&mut self, new: usize, original: usize, step: Step) {
        self.points.push((new, original));
        self.steps.push(step);
    }

    /// The next point belongs to the next body.
    pub(super) fn end_body(&mut self) {
        self.body_ends.push(self.points.len());
    }

    /// The original offset of a copied instruction, where there is only one body.
    #[cfg(test)]
    pub(super) fn original_offset(&self, offset: usize) -> Option<usize> {
        lead_back(&self.points, offset)
    }
}

impl OffsetMap {
    /// The map of a module that was left as it is.
    pub(super) fn identity(module: &Module<'_>) -> OffsetMap {
        let origins = (0..module.functions.len() as u32).map(Origin::Function).collect();
        OffsetMap { origins, points: vec![(0, 0)], steps: vec![Step::Nothing] }
    }

    /// Moves the points of each body to where the body lies in the instrumented file.
    pub(super) fn new(wasm: &[u8], origins: Vec<Origin>, points: Points) -> Result<OffsetMap> {
        let Points { mut points, steps, body_ends } = points;
        let mut body_ends = body_ends.into_iter();
        let mut moved = 0;
        for payload in Parser::new(0).parse_all(wasm) {
            // The functions that were put in follow the others, and have no points.
            if let Payload::CodeSectionEntry(body) = payload.map_err(Error::invalid_module)?
                && let Some(end) = body_ends.next()
            {
                let start = body.range().start;
                points[moved..end].iter_mut().for_each(|(new, _)| *new += start);
                moved = end;
            }
        }
        Ok(OffsetMap { origins, points, steps })
    }

    /// Where each function of the instrumented module comes from, in their order.
    pub(super) fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// `(offset in the instrumented file, offset in the original file)`, sorted; between two points
    /// both advance alike.
    pub(super) fn points(&self) -> &[(usize, usize)] {
        &self.points
    }

    /// For each of the points, what the code before it does to the calling context, for the call that stands there.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A stack of the instrumented module in terms of the original: function index and offset in the file
    /// of each frame, innermost first. A wrapper's frame stands for its allocator function, unless that
    /// function's own frame is there, and an import's stands for the host; frames of what else
    /// instrumentation added are left out.
    pub fn frames(&self, stack: impl IntoIterator<Item = (u32, Option<usize>)>) -> Vec<Frame> {
        let stack = stack.into_iter().map(|(function, offset)| {
            let offset = offset.and_then(|offset| u32::try_from(offset).ok());
            Frame::Wasm { function, offset }
        });
        let (mut frames, caller, _) = self.parts(stack);
        frames.extend(caller.unwrap_or_default());
        frames
    }

    /// The same in two parts: up to where the host entered last, and, if there is something, what called
    /// the host. The frames that come in are in terms of the instrumented module; those of the host, and of
    /// other modules, stay as they are. Last, whether an entry stands between them: none does where another
    /// module called a function of this one through a table.
    pub fn parts(
        &self,
        stack: impl IntoIterator<Item = Frame>,
    ) -> (Vec<Frame>, Option<Vec<Frame>>, bool) {
        let (mut inner, mut caller) = (Vec::new(), Vec::new());
        let (mut has_entered, mut is_seen) = (false, true);
        for frame in stack {
            let Frame::Wasm { function, offset } = frame else {
                is_seen &= has_entered;
                has_entered = true;
                caller.push(frame);
                continue;
            };
            let frames = if has_entered { &mut caller } else { &mut inner };
            match self.origin(function) {
                Origin::Function(function) => {
                    let offset = offset.and_then(|offset| self.original_offset(offset as usize));
                    let offset = offset.and_then(|offset| u32::try_from(offset).ok());
                    frames.push(Frame::Wasm { function, offset });
                }
                Origin::Wrapper(wrapped) => {
                    let last = frames.last();
                    let is_shown =
                        matches!(last, Some(Frame::Wasm { function, .. }) if *function == wrapped);
                    if !is_shown {
                        frames.push(Frame::Wasm { function: wrapped, offset: None });
                    }
                }
                Origin::Stub(function) if has_entered => {
                    frames.push(Frame::Wasm { function, offset: None });
                }
                Origin::Entry(_) => has_entered = true,
                Origin::Stub(_) | Origin::Added => {}
            }
        }
        (inner, Some(caller).filter(|caller| !caller.is_empty()), is_seen)
    }

    /// Where a function of the instrumented module comes from.
    pub(super) fn origin(&self, function: u32) -> Origin {
        self.origins.get(function as usize).copied().unwrap_or(Origin::Added)
    }

    /// The offset in the original file of an instruction that was copied from it, given its
    /// offset in the instrumented file.
    pub(super) fn original_offset(&self, offset: usize) -> Option<usize> {
        lead_back(&self.points, offset)
    }
}

fn lead_back(points: &[(usize, usize)], offset: usize) -> Option<usize> {
    let after = points.partition_point(|&(new, _)| new <= offset);
    let (new, old) = points[after.checked_sub(1)?];
    Some(old + (offset - new))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map of a module with these functions: an import, a hook, two functions, and then what stands in for
    /// them.
    fn map() -> OffsetMap {
        let origins = vec![
            Origin::Function(0),
            Origin::Added,
            Origin::Function(1),
            Origin::Function(2),
            Origin::Wrapper(1),
            Origin::Entry(2),
            Origin::Stub(0),
        ];
        OffsetMap { origins, points: vec![(0, 0), (100, 40)], steps: vec![Step::Nothing; 2] }
    }

    const WRAPPER: u32 = 4;
    const ENTRY: u32 = 5;
    const STUB: u32 = 6;

    fn frame(function: u32, offset: Option<u32>) -> Frame {
        Frame::Wasm { function, offset }
    }

    #[test]
    fn a_stack_has_two_parts() {
        let outer = [(3, Some(130)), (ENTRY, Some(300))];
        let inner = [(2, Some(10)), (WRAPPER, Some(200)), (3, Some(120)), (ENTRY, Some(300))];
        let shown = vec![frame(1, Some(10)), frame(2, Some(60))];
        let wasm = |(function, offset): (u32, Option<usize>)| {
            frame(function, offset.map(|offset| offset as u32))
        };
        let parts = map().parts(inner.map(wasm));
        assert_eq!(parts, (shown.clone(), None, true), "the host has no frames of its own");
        let nested = inner.into_iter().chain([(STUB, Some(400))]).chain(outer);
        let caller = vec![frame(0, None), frame(2, Some(70))];
        let parts = map().parts(nested.clone().map(wasm));
        assert_eq!(parts, (shown.clone(), Some(caller.clone()), true));
        assert_eq!(map().frames(nested), [shown, caller].concat());
    }

    /// Engines inline, and a tail call leaves no frame.
    #[test]
    fn a_wrapper_stands_for_its_function() {
        let alone = [(WRAPPER, Some(200)), (3, Some(120))];
        assert_eq!(map().frames(alone), [frame(1, None), frame(2, Some(60))]);
        assert_eq!(map().frames([(99, Some(0)), (1, None)]), [], "what nobody knows is left out");
    }

    #[test]
    fn frames_of_other_modules_stay_where_they_are() {
        let host = |name: &str| Frame::Host(name.to_owned());
        let of_entry = [frame(2, None), host("inside"), frame(ENTRY, None)];
        let of_caller = [host("lend"), frame(STUB, None), frame(3, None)];
        let unseen = map().parts(of_entry.clone().into_iter().chain(of_caller.clone()));
        let caller = [host("lend"), frame(0, None), frame(2, None)];
        let outer = [&[host("inside")], &caller[..]].concat();
        assert_eq!(unseen, (vec![frame(1, None)], Some(outer), false));
        let seen = map().parts([frame(2, None), frame(ENTRY, None)].into_iter().chain(of_caller));
        assert_eq!(seen, (vec![frame(1, None)], Some(caller.to_vec()), true));
    }
}
