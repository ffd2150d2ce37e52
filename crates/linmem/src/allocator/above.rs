//! Exported functions that do their work with those of an allocator that is known by its code: `malloc` of a Rust library for
//! C, say. They may put a header of their own before each block.

use std::collections::BTreeSet;

use wasmparser::Operator;

use super::code::Functions;
use super::{Effect, Role};
use crate::module::Access;

/// Sizes of such headers, in bytes.
const HEADERS: std::ops::RangeInclusive<i32> = 4..=64;

/// Whether a function does its work with these. What frees and writes to the memory itself may keep blocks in a list of its own,
/// and give them out again.
pub(super) fn is_above(
    functions: &Functions<'_, '_>,
    (function, role): (u32, Role),
    known: &[(u32, Role)],
) -> bool {
    let mut effects = known
        .iter()
        .filter(|(known, _)| functions.calls(function, *known) > 0)
        .map(|(_, role)| role.effect());
    match role.effect() {
        Effect::Frees => {
            let mut operators = functions.operators(function);
            effects.any(|effect| effect == Effect::Frees)
                && !operators.any(|operator| Access::of(&operator).is_some_and(|a| a.is_write))
        }
        Effect::Allocates | Effect::Reallocates => effects.any(|effect| effect != Effect::Frees),
    }
}

/// How many bytes such functions put before each block: those that allocate add so many to its address, and those that free
/// subtract them. 0 where none do.
pub(super) fn header_bytes(functions: &Functions<'_, '_>, above: &[(u32, Role)]) -> u64 {
    let mut common: Option<BTreeSet<i32>> = None;
    for (function, role) in above.iter().filter(|(_, role)| role.effect() != Effect::Reallocates) {
        let moves = moves(functions, *function, role.effect() == Effect::Allocates);
        common = Some(match common {
            Some(common) => &common & &moves,
            None => moves,
        });
    }
    match common.unwrap_or_default().into_iter().collect::<Vec<_>>()[..] {
        [bytes] => bytes.unsigned_abs().into(),
        _ => 0,
    }
}

/// The sizes of headers that a function adds to something, or subtracts from it.
fn moves(functions: &Functions<'_, '_>, function: u32, adds: bool) -> BTreeSet<i32> {
    let code = functions.code(function);
    let moved = code.0.windows(2).filter_map(|two| match two {
        [Operator::I32Const { value }, Operator::I32Add] if adds => Some(*value),
        [Operator::I32Const { value }, Operator::I32Add] => value.checked_neg(),
        [Operator::I32Const { value }, Operator::I32Sub] if !adds => Some(*value),
        _ => None,
    });
    moved.filter(|bytes| HEADERS.contains(bytes)).collect()
}
