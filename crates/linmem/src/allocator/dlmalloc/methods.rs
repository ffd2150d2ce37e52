//! dlmalloc as Rust has it where the compiler leaves its functions methods of one object, to which the first parameter points.
//! They stand beside copies for the object at its fixed place, or alone.

use std::collections::BTreeSet;

use wasmparser::Operator;

use super::{SMALL, Shapes, TOO_LARGE};
use crate::allocator::Role;
use crate::allocator::code::Code;

/// Fields of the object that two of its methods have in common at least. Its words lie behind its bins.
const SHARED_FIELDS: usize = 3;
const FIELDS: std::ops::Range<u64> = 128..512;

/// The methods with their roles; none where no method allocates.
pub(super) fn search(shapes: &Shapes<'_, '_>) -> Vec<(u32, Role)> {
    let functions = &shapes.functions;
    let is_malloc = |&function: &u32| {
        shapes.reaching[function as usize] && {
            let code = functions.code(function);
            let fields = fields(&code);
            code.pads()
                && code.compares(&SMALL)
                && code.has(&TOO_LARGE)
                && fields.len() >= SHARED_FIELDS
        }
    };
    let mallocs = functions.with_role_type(Role::MethodMalloc).filter(is_malloc);
    let Some(malloc) = shapes.most_called(mallocs) else { return Vec::new() };
    let of_malloc = fields(&functions.code(malloc));
    let is_free = |&function: &u32| {
        let code = functions.code(function);
        let shared = fields(&code).intersection(&of_malloc).count();
        code.takes_size_of_head() && shared >= SHARED_FIELDS
    };
    // `dispose_chunk` has the same type, and is passed what `free` goes back to.
    let frees = functions.with_role_type(Role::MethodFree).filter(is_free);
    let frees = frees.filter(|&function| functions.code(function).goes_back_to_head());
    let free = shapes.most_called(frees);
    let mut found = vec![(malloc, Role::MethodMalloc)];
    found.extend(free.map(|free| (free, Role::MethodFree)));
    for function in functions.defined().filter(|&function| functions.calls(function, malloc) > 0) {
        let code = functions.code(function);
        let frees = free.is_some_and(|free| functions.calls(function, free) > 0);
        if !(code.pads() && code.has(&TOO_LARGE)) {
            continue;
        }
        if frees && functions.has_type_of(Role::MethodRealloc, function) {
            found.push((function, Role::MethodRealloc));
        } else if !frees
            && functions.has_type_of(Role::GlobalAlloc, function)
            && (code.leaves_room() || code.asks_for_room(malloc))
        {
            found.push((function, Role::GlobalAlloc));
        } else {
            // It works on the blocks in a way that is not known, so that not all would be seen.
            return Vec::new();
        }
    }
    found
}

/// The offsets at which a method reads the object that its first parameter points to.
fn fields(code: &Code<'_>) -> BTreeSet<u64> {
    use Operator::{I32Load, LocalGet};
    let reads = code.0.windows(2).filter_map(|two| match two {
        [LocalGet { local_index: 0 }, I32Load { memarg }] => Some(memarg.offset),
        _ => None,
    });
    reads.filter(|offset| FIELDS.contains(offset)).collect()
}

impl Code<'_> {
    /// Whether a block's chunk is looked for, from the second parameter: `- 8`, at the beginning.
    fn goes_back_to_head(&self) -> bool {
        use Operator::{I32Add, I32Const, I32Sub, LocalGet};
        const BEGINNING: usize = 8;
        self.0.windows(3).take(BEGINNING).any(|three| {
            matches!(
                three,
                [LocalGet { local_index: 1 }, I32Const { value: -8 }, I32Add]
                    | [LocalGet { local_index: 1 }, I32Const { value: 8 }, I32Sub]
            )
        })
    }
}
