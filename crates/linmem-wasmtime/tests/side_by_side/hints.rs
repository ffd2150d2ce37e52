//! Wrong claims about which functions allocate.

use linmem::allocator::{Effect, Hints, Role};
use wasmparser::ValType::{I32, I64};

use super::binary::Binary;

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
    let fits = |role: &Role| {
        let results = match (role, role.effect()) {
            (Role::PosixMemalign, _) => vec![I32],
            (_, Effect::Frees) => vec![],
            _ => vec![address],
        };
        ty.results() == results
            && ty.params().len() == role.params().len()
            && ty.params().iter().all(|param| *param == address)
    };
    Role::ALL.into_iter().filter(fits).collect()
}
