//! The word in front of a block, which dlmalloc keeps there: pieces of its `calloc`, `realloc` or `free`, and Rust's functions
//! around them, look at it outside the allocator.

use std::collections::BTreeSet;

use wasmparser::{Operator, ValType};

use super::Operators;
use crate::module::Module;

/// What a module knows of blocks' headers.
pub(in crate::instrument) struct Headers {
    /// Functions that turn a block into its chunk, which begins 8 bytes in front of it: code that is optimised for size has one.
    chunk_of: BTreeSet<u32>,
}

impl Headers {
    /// Looks for the functions that the compiler has left.
    pub(in crate::instrument) fn of(module: &Module<'_>) -> Headers {
        let defined = module.imported_functions()..module.functions.len() as u32;
        let chunk_of = defined.filter(|&function| {
            let ty = module.function_type(function);
            ty.is_some_and(|ty| ty.params() == [ValType::I32] && ty.results() == [ValType::I32])
                && goes_back(module, function)
        });
        Headers { chunk_of: chunk_of.collect() }
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
        const FLAGS: [i32; 4] = [1, 2, 3, 7];
        const SIZE: [i32; 2] = [-8, -4];
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
