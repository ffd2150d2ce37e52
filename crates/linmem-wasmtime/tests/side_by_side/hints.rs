//! Wrong claims about which functions allocate.

use linmem::allocator::{Hints, Role};
use wasmparser::ValType::{I32, I64};

use super::binary::Binary;

/// How many addresses and sizes a function of each role takes, and whether it returns one.
const SIGNATURES: [(Role, usize, bool); 21] = [
    (Role::Malloc, 1, true),
    (Role::Calloc, 2, true),
    (Role::Realloc, 2, true),
    (Role::ReallocArray, 3, true),
    (Role::Free, 1, false),
    (Role::AlignedAlloc, 2, true),
    // It returns an error code, of 32 bits in any case.
    (Role::PosixMemalign, 3, true),
    (Role::RustAlloc, 2, true),
    (Role::RustDealloc, 3, false),
    (Role::RustRealloc, 4, true),
    (Role::CabiRealloc, 4, true),
    (Role::WbindgenRealloc, 4, true),
    (Role::SizedFree, 2, false),
    (Role::GlobalAlloc, 3, true),
    (Role::GlobalDealloc, 4, false),
    (Role::GlobalRealloc, 5, true),
    (Role::MethodMalloc, 2, true),
    (Role::MethodFree, 2, false),
    (Role::MethodRealloc, 3, true),
    (Role::NothrowNew, 2, true),
    (Role::FixedMemalign, 2, true),
];

/// Claims that every function whose type allows it is an allocator function. Whatever the
/// functions do, the claims must not be felt. Of a module that cannot be read, nothing is claimed.
pub fn hook_everything(wasm: &[u8]) -> Hints {
    let binary = Binary::read(wasm).unwrap_or_default();
    let functions = 0..binary.functions();
    functions
        .filter_map(|function| {
            let roles = possible_roles(&binary, function);
            let role = roles.get(function as usize % roles.len().max(1))?;
            Some((*role, function.to_string()))
        })
        .collect()
}

/// The roles that the type of a function allows.
fn possible_roles(binary: &Binary<'_>, function: u32) -> Vec<Role> {
    let is_64 = binary.memories.first().is_some_and(|memory| memory.memory64);
    let address = if is_64 { I64 } else { I32 };
    let Some(ty) = binary.function_type(function) else { return Vec::new() };
    let fits = |(role, params, returns): &(Role, usize, bool)| {
        let result =
            if matches!(role, Role::PosixMemalign | Role::FixedMemalign) { I32 } else { address };
        ty.params() == vec![address; *params] && ty.results() == &[result][..usize::from(*returns)]
    };
    SIGNATURES.into_iter().filter(fits).map(|(role, ..)| role).collect()
}
