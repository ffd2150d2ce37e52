//! What crosses between the module and its host: which exports are called, and which addresses go
//! in and out.
//!
//! A block whose address has crossed may be held by the host, where nobody can look. So the host is
//! told of all values that could be addresses: the arguments and results of exported functions, and
//! the arguments of imported ones.

use std::collections::BTreeSet;

use wasm_encoder::{Function, InstructionSink};
use wasmparser::{FuncType, ValType};

use super::{Layout, calls, encoded};
use crate::allocator::Allocator;
use crate::event::Hook;
use crate::module::Module;

/// The imported functions that could be handed an address. WASI's do not keep any.
pub(super) fn imports(module: &Module<'_>, allocator: &Allocator) -> BTreeSet<u32> {
    let address = super::address_type(module);
    let takes_addresses = |function: &u32| {
        let of_wasi =
            module.function_import(*function).is_some_and(|i| i.module.starts_with("wasi_"));
        let takes =
            module.function_type(*function).is_some_and(|ty| ty.params().contains(&address));
        takes && !of_wasi && allocator.role(*function).is_none()
    };
    (0..module.imported_functions()).filter(takes_addresses).collect()
}

/// The function that stands in for an exported one. The host enters here, so what a trap left behind
/// is reset where `observed` says that it matters. For `(func (param i32) (result i32))`:
///
/// ```wat
/// (func (param i32) (result i32) (local i32)
///   (call $entered $function (local.get 0) 0 0 0)
///   (call $original (local.get 0))  local.set 1
///   (call $returned $function (local.get 1))
///   local.get 1)
/// ```
pub(super) fn entry(layout: &Layout, function: u32, ty: &FuncType, observed: bool) -> Vec<u8> {
    let returns_addresses = returns_addresses(layout, ty);
    let first_result = ty.params().len() as u32;
    let results = if returns_addresses { ty.results() } else { &[] };
    let mut body = Function::new(results.iter().map(|result| (1, number_type(*result))));
    let mut code = body.instructions();
    if observed {
        calls::reset(layout, function, &mut code);
    }
    let mut arguments = addresses(layout, ty.params(), 0);
    code.i32_const(function as i32);
    push_up_to_four(layout, &mut arguments, &mut code);
    code.call(layout.hook(Hook::Entered));
    report(layout, Hook::Passed, arguments, &mut code);
    push_params(ty, &mut code);
    if !returns_addresses {
        layout.call_last(layout.target(function), &mut code);
        code.end();
        return body.into_raw_body();
    }
    code.call(layout.target(function));
    for result in (0..results.len() as u32).rev() {
        code.local_set(first_result + result);
    }
    for result in addresses(layout, results, first_result) {
        code.i32_const(function as i32).local_get(result).call(layout.hook(Hook::Returned));
    }
    for result in 0..results.len() as u32 {
        code.local_get(first_result + result);
    }
    code.end();
    body.into_raw_body()
}

/// The function that stands in for an imported one where the module calls it.
pub(super) fn stub(layout: &Layout, function: u32, ty: &FuncType) -> Vec<u8> {
    let mut body = Function::new([]);
    let mut code = body.instructions();
    report(layout, Hook::HandedOut, addresses(layout, ty.params(), 0), &mut code);
    push_params(ty, &mut code);
    layout.call_last(function, &mut code);
    code.end();
    body.into_raw_body()
}

/// Whether a function has results that can be addresses, and none that a local could not hold.
fn returns_addresses(layout: &Layout, ty: &FuncType) -> bool {
    let is_number = |ty: &ValType| !matches!(ty, ValType::Ref(_));
    ty.results().contains(&layout.address) && ty.results().iter().all(is_number)
}

fn number_type(ty: ValType) -> wasm_encoder::ValType {
    match ty {
        ValType::F32 => wasm_encoder::ValType::F32,
        ValType::F64 => wasm_encoder::ValType::F64,
        ValType::V128 => wasm_encoder::ValType::V128,
        integer => encoded(integer),
    }
}

/// The locals, from `first` on, whose values can be addresses.
fn addresses(layout: &Layout, types: &[ValType], first: u32) -> std::vec::IntoIter<u32> {
    let locals = types.iter().zip(first..).filter(|(ty, _)| **ty == layout.address);
    locals.map(|(_, local)| local).collect::<Vec<_>>().into_iter()
}

/// Reports all the values that are left, four at a time.
fn report(
    layout: &Layout,
    hook: Hook,
    mut locals: std::vec::IntoIter<u32>,
    code: &mut InstructionSink<'_>,
) {
    while locals.len() > 0 {
        push_up_to_four(layout, &mut locals, code);
        code.call(layout.hook(hook));
    }
}

fn push_up_to_four(
    layout: &Layout,
    locals: &mut std::vec::IntoIter<u32>,
    code: &mut InstructionSink<'_>,
) {
    for _ in 0..Hook::VALUES {
        match (locals.next(), layout.address) {
            (Some(local), _) => code.local_get(local),
            (None, ValType::I64) => code.i64_const(0),
            (None, _) => code.i32_const(0),
        };
    }
}

fn push_params(ty: &FuncType, code: &mut InstructionSink<'_>) {
    for param in 0..ty.params().len() as u32 {
        code.local_get(param);
    }
}
