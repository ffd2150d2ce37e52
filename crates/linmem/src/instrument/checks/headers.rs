//! The word in front of a block, which dlmalloc keeps there: pieces of its `calloc`, `realloc` or `free`, and Rust's functions
//! around them, look at it outside the allocator.

use std::collections::BTreeSet;

use wasmparser::{Operator, ValType};

use super::Operators;
use crate::module::{Module, SiteKind};

/// What a module knows of blocks' headers.
pub(in crate::instrument) struct Headers {
    /// Functions that turn a block into its chunk, which begins 8 bytes in front of it: code that is optimised for size has one.
    chunk_of: BTreeSet<u32>,
    /// Functions that do no more than to take something out of the head of a chunk, which they are passed.
    heads: BTreeSet<u32>,
}

/// Masks that take the flags, or the size, out of the word in front of a block.
const FLAGS: [i32; 4] = [1, 2, 3, 7];
const SIZE: [i32; 2] = [-8, -4];

impl Headers {
    /// Looks for the functions that the compiler has left.
    pub(in crate::instrument) fn of(module: &Module<'_>) -> Headers {
        let defined = module.imported_functions()..module.functions.len() as u32;
        let chunk_of = defined.filter(|&function| {
            has_type_of_accessor(module, function) && goes_back(module, function)
        });
        let chunk_of: BTreeSet<u32> = chunk_of.collect();
        let heads = called_right_after(module, &chunk_of).into_iter().filter(|&function| {
            has_type_of_accessor(module, function) && reads_head(module, function)
        });
        let heads = heads.collect();
        Headers { chunk_of, heads }
    }

    /// Whether all that a function accesses is the head of the chunk that it is passed.
    pub(in crate::instrument) fn is_of_head(&self, function: u32) -> bool {
        self.heads.contains(&function)
    }

    /// With which mask an instruction that reads the word in front of a block takes its flags or the size out of it: that of the
    /// size is negative. `None` for other instructions.
    pub(in crate::instrument) fn mask_at(
        &self,
        operators: &Operators<'_>,
        nth: usize,
    ) -> Option<i32> {
        use Operator::{
            Call, I32Add, I32And, I32Const, I32Load, I32Load8U, I32Sub, LocalSet, LocalTee,
        };
        let operator = |at: Option<usize>| Some(&operators.get(at?)?.0);
        let before = |distance| operator(nth.checked_sub(distance));
        let memarg = match operators[nth].0 {
            I32Load { memarg } | I32Load8U { memarg } => memarg,
            _ => return None,
        };
        // The address may be kept for later.
        let kept = usize::from(matches!(before(1), Some(LocalTee { .. })));
        let is_in_front = match (before(kept + 1), before(kept + 2), memarg.offset) {
            (Some(I32Add), Some(I32Const { value: -4 }), 0) => true,
            (Some(I32Sub), Some(I32Const { value: 4 }), 0) => true,
            (Some(Call { function_index }), _, 4) => self.chunk_of.contains(function_index),
            _ => false,
        };
        let after = match operator(Some(nth + 1)) {
            Some(LocalTee { .. }) => nth + 2,
            Some(LocalSet { .. }) => nth + 3,
            _ => nth + 1,
        };
        match (operator(Some(after)), operator(Some(after + 1))) {
            (Some(I32Const { value }), Some(I32And)) => {
                let is_mask = FLAGS.contains(value) || SIZE.contains(value);
                Some(*value).filter(|_| is_in_front && is_mask)
            }
            _ => None,
        }
    }
}

fn has_type_of_accessor(module: &Module<'_>, function: u32) -> bool {
    let ty = module.function_type(function);
    ty.is_some_and(|ty| ty.params() == [ValType::I32] && ty.results() == [ValType::I32])
}

/// The functions that are somewhere passed what one of these has just returned.
fn called_right_after(module: &Module<'_>, functions: &BTreeSet<u32>) -> BTreeSet<u32> {
    let bodies = module.functions.iter().filter_map(|function| function.body.as_ref());
    let bodies = bodies.filter(|_| !functions.is_empty());
    let pairs = bodies.flat_map(|body| body.sites.windows(2));
    let after = pairs.filter_map(|pair| match (pair[0].kind, pair[1].kind) {
        (SiteKind::Call(first), SiteKind::Call(second)) => {
            let is_next = pair[0].offset + pair[0].len == pair[1].offset;
            (is_next && functions.contains(&first)).then_some(second)
        }
        _ => None,
    });
    after.collect()
}

/// Whether a function only loads the word at 4 behind its parameter, or the lowest byte of that, and takes the flags or the
/// size out of it.
fn reads_head(module: &Module<'_>, function: u32) -> bool {
    use Operator::{End, I32And, I32Const, I32Eqz, I32Load, I32Load8U, I32Ne, I32ShrU, LocalGet};
    const OPERATORS: usize = 8;
    let body = module.functions[function as usize].body.as_ref();
    let operators = body.into_iter().flat_map(|body| body.operators(module.bytes));
    match &operators.take(OPERATORS + 1).collect::<Vec<_>>()[..] {
        [
            LocalGet { local_index: 0 },
            I32Load { memarg } | I32Load8U { memarg },
            I32Const { value },
            I32And,
            rest @ ..,
            End,
        ] => {
            memarg.offset == 4
                && (FLAGS.contains(value) || SIZE.contains(value))
                && rest
                    .iter()
                    .all(|rest| matches!(rest, I32Const { .. } | I32Eqz | I32Ne | I32ShrU))
        }
        _ => false,
    }
}

/// Whether a function only takes 8 from its parameter.
fn goes_back(module: &Module<'_>, function: u32) -> bool {
    use Operator::{End, I32Add, I32Const, I32Sub, LocalGet};
    const OPERATORS: usize = 4;
    let body = module.functions[function as usize].body.as_ref();
    let operators = body.into_iter().flat_map(|body| body.operators(module.bytes));
    matches!(
        operators.take(OPERATORS + 1).collect::<Vec<_>>()[..],
        [LocalGet { local_index: 0 }, I32Const { value: -8 }, I32Add, End]
            | [LocalGet { local_index: 0 }, I32Const { value: 8 }, I32Sub, End]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Function 0 turns a block into its chunk, 1 to 4 read something of what they are passed, and 5 calls them.
    #[test]
    fn a_function_that_is_passed_a_chunk_reads_its_head() {
        let text = r#"(module (memory 1)
            (func $chunk (param i32) (result i32) (i32.add (local.get 0) (i32.const -8)))
            (func $is_mapped (param i32) (result i32)
              (i32.eqz (i32.and (i32.load8_u offset=4 (local.get 0)) (i32.const 3))))
            (func $size (param i32) (result i32)
              (i32.and (i32.load offset=4 (local.get 0)) (i32.const -8)))
            (func $field (param i32) (result i32)
              (i32.and (i32.load offset=8 (local.get 0)) (i32.const -8)))
            (func $of_others (param i32) (result i32)
              (i32.and (i32.load offset=4 (local.get 0)) (i32.const 1)))
            (func (param i32) (result i32)
              (drop (call $is_mapped (call $chunk (local.get 0))))
              (drop (call $size (call $chunk (local.get 0))))
              (drop (call $field (call $chunk (local.get 0))))
              (call $of_others (local.get 0))))"#;
        let wasm = wat::parse_str(text).unwrap();
        let headers = Headers::of(&Module::parse(&wasm).unwrap());
        let of_head: Vec<u32> = (0..6).filter(|&function| headers.is_of_head(function)).collect();
        assert_eq!(of_head, [1, 2]);
    }
}
