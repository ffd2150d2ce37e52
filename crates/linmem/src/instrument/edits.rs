//! Edits of one function's body: code that is put before an instruction, and instructions that are
//! replaced.
//!
//! Each [`Producer`] writes a list of its own, in the order of offsets. Applying them merges the lists:
//! at one instruction the insertions come first, in the order of the producers, then the replacement.
//! The code of all edits lies in one buffer, and all buffers are used again for the next function, so
//! that an edit costs no allocation.

use std::ops::Range;

use wasm_encoder::{BlockType, Encode, InstructionSink, ValType};

use super::contexts::Step;
use super::index_space::IndexSpace;
use super::mode::Plan;
use super::offset_map::Points;
use crate::module::{Body, Site};

/// Something that edits the module's own functions.
pub(super) trait Producer {
    /// Writes down the edits of one function, in the order of its instructions.
    fn edit(&self, space: &IndexSpace, function: u32, body: &Body, edits: &mut Edits);
}

/// The edits of one function's body.
#[derive(Default)]
pub(super) struct Edits {
    /// The new code of all edits, one after another.
    code: Vec<u8>,
    /// The lists, one after another.
    edits: Vec<Edit>,
    /// What is left to apply of each list in `edits`.
    lists: Vec<Range<usize>>,
    /// What the function does first.
    prologue: Vec<u8>,
    /// The locals that are added, in groups of one type.
    added_locals: Vec<(u32, ValType)>,
}

struct Edit {
    /// Offset of the instruction in the file.
    offset: usize,
    /// Bytes that are replaced; 0 for an insertion.
    replaced: usize,
    /// The new code in the buffer.
    code: Range<usize>,
    /// Where in the buffer an `if` stands that is hardly ever taken.
    unlikely: Option<usize>,
    /// What the code does to the calling context.
    step: Step,
}

impl Edit {
    /// Edits are applied in this order.
    fn place(&self) -> (usize, bool) {
        (self.offset, self.is_replacement())
    }

    fn is_replacement(&self) -> bool {
        self.replaced > 0
    }
}

impl Edits {
    /// All edits of one function, in place of those of the one before.
    pub(super) fn gather(
        &mut self,
        plan: &Plan<'_>,
        space: &IndexSpace,
        function: u32,
        body: &Body,
    ) {
        self.clear();
        for producer in &plan.producers {
            self.add(producer.as_ref(), space, function, body);
        }
        self.add(space, space, function, body);
    }

    /// Only those without which the new module would not be valid, or the heap's functions not be watched.
    pub(super) fn gather_needed(&mut self, space: &IndexSpace, function: u32, body: &Body) {
        self.clear();
        self.add(space, space, function, body);
    }

    /// Makes room for the next function's.
    fn clear(&mut self) {
        self.code.clear();
        self.edits.clear();
        self.lists.clear();
        self.prologue.clear();
        self.added_locals.clear();
    }

    /// Adds a producer's list.
    fn add(&mut self, producer: &dyn Producer, space: &IndexSpace, function: u32, body: &Body) {
        let start = self.edits.len();
        producer.edit(space, function, body, self);
        self.lists.push(start..self.edits.len());
    }

    /// Adds locals of a type and returns the index of the first.
    pub(super) fn add_locals(&mut self, body: &Body, count: u32, ty: ValType) -> u32 {
        let added: u32 = self.added_locals.iter().map(|(count, _)| count).sum();
        self.added_locals.push((count, ty));
        body.locals + added
    }

    /// Adds code that runs when the function is entered, before everything else.
    pub(super) fn at_start(&mut self, write: impl FnOnce(&mut InstructionSink<'_>)) {
        write(&mut InstructionSink::new(&mut self.prologue));
    }

    /// Puts code before the instruction at an offset in the file. Without code there is no edit.
    #[inline]
    pub(super) fn insert_before(
        &mut self,
        offset: usize,
        write: impl FnOnce(&mut InstructionSink<'_>),
    ) {
        self.insert_step_before(offset, Step::Nothing, write);
    }

    /// The same for code that takes a step of the calling context.
    #[inline]
    pub(super) fn insert_step_before(
        &mut self,
        offset: usize,
        step: Step,
        write: impl FnOnce(&mut InstructionSink<'_>),
    ) {
        let code = self.write(write);
        if !code.is_empty() {
            self.edits.push(Edit { offset, replaced: 0, code, unlikely: None, step });
        }
    }

    /// Puts code before the instruction at an offset in the file: `write`, which leaves a condition, then `unlikely` if that
    /// holds, which is hardly ever, and then `rest`.
    #[inline]
    pub(super) fn insert_check_before(
        &mut self,
        offset: usize,
        write: impl FnOnce(&mut InstructionSink<'_>),
        unlikely: impl FnOnce(&mut InstructionSink<'_>),
        rest: impl FnOnce(&mut InstructionSink<'_>),
    ) {
        let start = self.code.len();
        self.write(write);
        let branch = self.code.len();
        self.write(|code| {
            code.if_(BlockType::Empty);
            unlikely(code);
            code.end();
            rest(code);
        });
        let code = start..self.code.len();
        let (unlikely, step) = (Some(branch), Step::Nothing);
        self.edits.push(Edit { offset, replaced: 0, code, unlikely, step });
    }

    /// Puts code where an instruction was. It is a bug to replace an instruction twice: the first
    /// producer's code stays.
    #[inline]
    pub(super) fn replace(&mut self, site: &Site, write: impl FnOnce(&mut InstructionSink<'_>)) {
        let code = self.write(write);
        let (unlikely, step) = (None, Step::Nothing);
        self.edits.push(Edit { offset: site.offset, replaced: site.len, code, unlikely, step });
    }

    fn write(&mut self, write: impl FnOnce(&mut InstructionSink<'_>)) -> Range<usize> {
        let start = self.code.len();
        write(&mut InstructionSink::new(&mut self.code));
        start..self.code.len()
    }

    /// The size of the edited body.
    pub(super) fn bytes_of_edited(&self, file: &[u8], body: &Body) -> usize {
        let mut locals = Vec::new();
        self.copy_locals(file, body, &mut locals);
        let replaced: usize = self.edits.iter().map(|edit| edit.replaced).sum();
        let kept = body.range.end - body.code_start - replaced;
        locals.len() + self.prologue.len() + self.code.len() + kept
    }

    /// Writes the edited body to `out`, to `points` where in it the offsets lead, and to `unlikely` where in it an `if`
    /// stands that is hardly ever taken.
    pub(super) fn apply(
        &mut self,
        file: &[u8],
        body: &Body,
        out: &mut Vec<u8>,
        points: &mut Points,
        unlikely: &mut Vec<u32>,
    ) {
        self.copy_locals(file, body, out);
        out.extend_from_slice(&self.prologue);
        let mut copied = body.code_start;
        points.add(out.len(), copied, Step::Nothing);
        let mut step_of = (copied, Step::Nothing);
        while let Some(edit) = next(&self.edits, &mut self.lists) {
            if edit.offset < copied {
                debug_assert!(false, "the instruction at {:#x} is replaced twice", edit.offset);
                continue;
            }
            out.extend_from_slice(&file[copied..edit.offset]);
            let branch = edit.unlikely.map(|branch| out.len() + branch - edit.code.start);
            unlikely.extend(branch.map(|branch| branch as u32));
            out.extend_from_slice(&self.code[edit.code.clone()]);
            copied = edit.offset + edit.replaced;
            if edit.step != Step::Nothing {
                step_of = (copied, edit.step);
            }
            if edit.code.len() != edit.replaced {
                // The last of the points before a call tells.
                let step = if step_of.0 == copied { step_of.1 } else { Step::Nothing };
                points.add(out.len(), copied, step);
            }
        }
        out.extend_from_slice(&file[copied..body.range.end]);
        points.end_body();
    }

    /// Copies the declarations of locals, and appends the added ones.
    fn copy_locals(&self, file: &[u8], body: &Body, out: &mut Vec<u8>) {
        let declared = &file[body.range.start..body.code_start];
        let mut reader = wasmparser::BinaryReader::new(declared, 0);
        // The module is valid, so the count is there.
        let _ = reader.read_var_u32();
        (body.local_groups + self.added_locals.len() as u32).encode(out);
        out.extend_from_slice(&declared[reader.original_position()..]);
        for (count, ty) in &self.added_locals {
            count.encode(out);
            ty.encode(out);
        }
    }
}

/// Takes the edit that comes next from what is left of the lists.
#[inline]
fn next<'e>(edits: &'e [Edit], lists: &mut [Range<usize>]) -> Option<&'e Edit> {
    // Of two edits at one place, `min_by_key` finds that of the earlier list.
    let heads = lists.iter_mut().filter(|list| list.start < list.end);
    let list = heads.min_by_key(|list| edits[list.start].place())?;
    Some(&edits[list.next()?])
}

#[cfg(test)]
mod tests;
