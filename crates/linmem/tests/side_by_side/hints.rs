//! Wrong claims about which functions allocate.

use linmem::Module;
use linmem::allocator::{Effect, Hints, Role};
use wasmparser::ValType::{I32, I64};

/// Claims that every function whose type allows it is an allocator function. Whatever the
/// functions do, the claims must not be felt.
pub fn hook_everything(module: &Module<'_>) -> Hints {
    let functions = 0..module.functions.len() as u32;
    functions
        .filter_map(|function| {
            let roles = possible_roles(module, function);
            let role = roles.get(function as usize % roles.len().max(1))?;
            Some((*role, function.to_string()))
        })
        .collect()
}

/// The roles that the type of a function allows.
fn possible_roles(module: &Module<'_>, function: u32) -> Vec<Role> {
    let is_64 = module.memories.first().is_some_and(|memory| memory.is_64);
    let address = if is_64 { I64 } else { I32 };
    let Some(ty) = module.function_type(function) else { return Vec::new() };
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
