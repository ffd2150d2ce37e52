//! dlmalloc as Rust has it where it is compiled for size: its smallest methods stay functions, so that even constants are
//! computed by calls. `align_up(20, 8)` stands where others have 24, and the size of a chunk is what a function returns.

use std::collections::BTreeSet;

use wasmparser::{Operator, ValType};

use super::{KnownByCode, SMALL, Shapes};
use crate::allocator::Role;
use crate::allocator::code::Code;

/// The sizes that `malloc` rounds up by calls: of the head of a segment, of its last chunk, and of a chunk.
const ROUNDED: [i32; 3] = [8, 20, 16];

/// Memory is asked for in steps of 64 KiB. Before Rust 1.56 what is subtracted from the largest request has 8 bytes more.
const GRANULARITY: [i32; 2] = [-65_536, -65_544];

/// The functions with their roles; `None` where there is no such allocator.
pub(super) fn search(shapes: &Shapes<'_, '_>) -> Option<KnownByCode> {
    let functions = &shapes.functions;
    let malloc =
        shapes.most_called(functions.with_role_type(Role::Malloc).filter(|&function| {
            shapes.reaching[function as usize] && {
                let code = functions.code(function);
                code.compares(&SMALL) && code.has(&GRANULARITY) && shapes.rounds_by_calls(&code)
            }
        }))?;
    // What only `malloc` calls for its own ends has the types of others.
    let of_malloc: BTreeSet<u32> = functions.callees(malloc).collect();
    let others = || functions.defined().filter(|function| !of_malloc.contains(function));
    let sharing: Vec<u32> =
        others().filter(|&function| shapes.shares_state(function, malloc)).collect();
    let takes_size = |function: u32| {
        functions.has_type_of(Role::Malloc, function)
            && functions.code(function).takes_size_of_head()
    };
    let is_free = |&function: &u32| {
        functions.has_type_of(Role::Free, function) && functions.callees(function).any(takes_size)
    };
    let free = shapes.most_called(sharing.iter().copied().filter(is_free));
    let disposes = |function: u32| {
        let ty = functions.0.function_type(function);
        sharing.contains(&function)
            && ty.is_some_and(|ty| ty.params() == [ValType::I32; 2] && ty.results().is_empty())
    };
    let mut found = KnownByCode::dlmalloc(vec![(malloc, Role::Malloc)]);
    found.functions.extend(free.map(|free| (free, Role::Free)));
    for function in others().filter(|&function| functions.calls(function, malloc) > 0) {
        let frees = free.is_some_and(|free| functions.calls(function, free) > 0);
        let role = |role| functions.has_type_of(role, function).then_some((function, role));
        let disposes = functions.callees(function).any(disposes);
        match (frees, sharing.contains(&function)) {
            (true, true) => match role(Role::RustRealloc) {
                Some(realloc) => found.functions.push(realloc),
                None => found.resizing.push(function),
            },
            (false, _) if disposes => match role(Role::AlignedAlloc) {
                Some(_) => match shapes.order(function, malloc) {
                    Some(role) => found.functions.push((function, role)),
                    None => found.aligning.push(function),
                },
                None => found.aligning.push(function),
            },
            _ => {}
        }
    }
    Some(found)
}

impl Shapes<'_, '_> {
    /// Whether the same function rounds up each of [`ROUNDED`] to a multiple of 8. The 8 may be what a function adds to 0.
    fn rounds_by_calls(&self, code: &Code<'_>) -> bool {
        use Operator::{Call, I32Const};
        let code = code.without_copies();
        let rounded = code.windows(4).filter_map(|four| match four {
            [_, I32Const { value }, I32Const { value: 8 }, Call { function_index }] => {
                Some((*function_index, *value))
            }
            [
                I32Const { value: 0 },
                Call { function_index: adding },
                I32Const { value: 8 },
                Call { function_index },
            ] => self.added_by(*adding).map(|added| (*function_index, added)),
            _ => None,
        });
        let rounded: BTreeSet<(u32, i32)> = rounded.collect();
        rounded.iter().any(|&(by, _)| ROUNDED.iter().all(|&size| rounded.contains(&(by, size))))
    }

    /// What a function adds to its parameter, if it does no more.
    fn added_by(&self, function: u32) -> Option<i32> {
        use Operator::{End, I32Add, I32Const, LocalGet};
        match self.functions.code(function).0[..] {
            [LocalGet { local_index: 0 }, I32Const { value }, I32Add, End] => Some(value),
            _ => None,
        }
    }
}
