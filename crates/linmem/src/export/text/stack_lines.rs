//! Stacks, as lines and in one line.

use std::fmt::{self, Write};

use super::{DIM, Text};
use crate::report::{StackFrame, folded};
use crate::units::{escape, number_of};

impl Text {
    /// A stack, a line for each frame.
    pub(super) fn stack(&mut self, stack: &[StackFrame]) -> fmt::Result {
        if stack.is_empty() {
            return writeln!(self.out, "    (the stack was not taken)");
        }
        let lines = lines_of(stack);
        let shown = &lines[..lines.len().min(self.options.frames)];
        let width = shown.iter().map(|line| line.name().chars().count()).max().unwrap_or(0);
        for line in shown {
            let place = self.styled(DIM, &line.place());
            let text = format!("    {:width$}  {place}", line.name(), width = width.min(40));
            writeln!(self.out, "{}", text.trim_end())?;
        }
        match lines.len() - shown.len() {
            0 => Ok(()),
            hidden => writeln!(self.out, "    … {} more", number_of(hidden, "frame")),
        }
    }
}

/// One line of a stack.
enum Line<'s> {
    Frame(&'s StackFrame),
    /// So many frames of the language's own libraries.
    Library(usize),
}

impl Line<'_> {
    fn name(&self) -> String {
        match self {
            Line::Frame(frame) if frame.inlined => format!("{} (inlined)", escape(&frame.function)),
            Line::Frame(frame) => escape(&frame.function),
            Line::Library(frames) => format!("… {}", number_of(*frames, "library frame")),
        }
    }

    fn place(&self) -> String {
        let Line::Frame(frame) = self else { return String::new() };
        match (&frame.file, frame.line, frame.offset) {
            (Some(file), Some(line), _) => format!("{}:{line}", escape(file)),
            (_, _, Some(offset)) => format!("offset {offset:#x}"),
            _ => String::new(),
        }
    }
}

/// The lines of a stack. Frames of the language's libraries are folded, except the innermost frame. A
/// stack of such frames alone is shown in full.
fn lines_of(stack: &[StackFrame]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let of_library = stack.iter().map(StackFrame::is_library).collect();
    for (frame, folded) in stack.iter().zip(folded(of_library)) {
        match lines.last_mut() {
            Some(Line::Library(frames)) if folded => *frames += 1,
            _ if folded => lines.push(Line::Library(1)),
            _ => lines.push(Line::Frame(frame)),
        }
    }
    lines
}

/// A stack in one line, as in `malloc ← make_item (main.c:12) ← main (main.c:30)`.
pub(super) fn one_line(stack: &[StackFrame]) -> String {
    const FRAMES: usize = 4;
    if stack.is_empty() {
        return "(the stack was not taken)".to_owned();
    }
    let lines = lines_of(stack);
    let frames = lines.iter().filter_map(|line| match line {
        Line::Frame(frame) => Some(frame),
        Line::Library(_) => None,
    });
    let mut texts: Vec<String> = frames
        .map(|frame| match (&frame.file, frame.line) {
            (Some(file), Some(line)) => {
                let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
                format!("{} ({}:{line})", escape(&frame.function), escape(file))
            }
            _ => escape(&frame.function),
        })
        .collect();
    if texts.len() > FRAMES {
        texts.truncate(FRAMES);
        texts.push("…".to_owned());
    }
    texts.join(" ← ")
}
