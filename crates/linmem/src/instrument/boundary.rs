//! What crosses between the module and its host: which exports are called, and which addresses go
//! in and out.
//!
//! A block whose address has crossed may be held by the host, where nobody can look. So the host is
//! told of the values that could be addresses: the arguments and results of exported functions, and
//! the arguments of imported ones. An `i64` of a module with a 32-bit memory may be two of them: a pointer
//! and a length, say. `is_open` says where a module has other ways.

use std::collections::BTreeSet;

use wasm_encoder::{Function, InstructionSink};
use wasmparser::{FuncType, ValType};

use super::{Layout, contexts, encoded};
use crate::allocator::Allocator;
use crate::instrument::hooks::Hook;
use crate::module::Module;

/// The imported functions that could be handed an address. WASI's do not keep any.
pub(super) fn imports(module: &Module<'_>, allocator: &Allocator) -> BTreeSet<u32> {
    let hooked = allocator.hooked();
    let takes = |function: &u32| takes_addresses(module, *function) && !hooked.contains(function);
    (0..module.imported_functions()).filter(takes).collect()
}

fn takes_addresses(module: &Module<'_>, imported: u32) -> bool {
    let of_wasi = module.function_import(imported).is_some_and(|i| i.module.starts_with("wasi_"));
    let takes = module.function_type(imported).is_some_and(|ty| ty.params().iter().any(is_integer));
    takes && !of_wasi
}

/// Whether addresses can cross where nobody is told: imported functions that are called through a table
/// or a reference, functions that the host gets as results or arguments, and results that stand beside
/// references.
pub(crate) fn is_open(module: &Module<'_>) -> bool {
    let is_reference = |ty: &ValType| matches!(ty, ValType::Ref(_));
    let holds_function = |ty: &ValType| matches!(ty, ValType::Ref(ty) if !ty.is_extern_ref());
    let first_defined = module.imported_functions();
    let taken = module.address_taken.iter();
    let calls_out = taken
        .copied()
        .any(|function| function < first_defined && takes_addresses(module, function));
    let imported = (0..first_defined).filter_map(|function| module.function_type(function));
    let hands_out = imported.flat_map(|ty| ty.params()).any(holds_function);
    let exported = module.exported_functions().filter(|(_, function)| *function >= first_defined);
    let returns = exported.filter_map(|(_, function)| module.function_type(function)).any(|ty| {
        let results = ty.results();
        results.iter().any(holds_function)
            || results.iter().any(is_reference) && results.iter().any(is_integer)
    });
    calls_out || hands_out || returns
}

fn is_integer(ty: &ValType) -> bool {
    matches!(ty, ValType::I32 | ValType::I64)
}

/// A value that could be an address.
#[derive(Clone, Copy)]
enum Value {
    /// A local as it is.
    Whole(u32),
    /// The lower half of a local of 64 bits.
    Low(u32),
    /// The upper half.
    High(u32),
}

type Values = std::vec::IntoIter<Value>;

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
        contexts::reset(layout, function, &mut code);
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
        code.i32_const(function as i32);
        push(result, &mut code);
        code.call(layout.hook(Hook::Returned));
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
    addresses(layout, ty.results(), 0).len() > 0 && ty.results().iter().all(is_number)
}

fn number_type(ty: ValType) -> wasm_encoder::ValType {
    match ty {
        ValType::F32 => wasm_encoder::ValType::F32,
        ValType::F64 => wasm_encoder::ValType::F64,
        ValType::V128 => wasm_encoder::ValType::V128,
        integer => encoded(integer),
    }
}

/// The values of locals, from `first` on, that can be addresses.
fn addresses(layout: &Layout, types: &[ValType], first: u32) -> Values {
    let values = types.iter().zip(first..).flat_map(|(ty, local)| match (*ty, layout.address) {
        (ty, address) if ty == address => vec![Value::Whole(local)],
        (ValType::I64, _) => vec![Value::Low(local), Value::High(local)],
        _ => Vec::new(),
    });
    values.collect::<Vec<_>>().into_iter()
}

/// Reports all the values that are left, four at a time.
fn report(layout: &Layout, hook: Hook, mut values: Values, code: &mut InstructionSink<'_>) {
    while values.len() > 0 {
        push_up_to_four(layout, &mut values, code);
        code.call(layout.hook(hook));
    }
}

fn push_up_to_four(layout: &Layout, values: &mut Values, code: &mut InstructionSink<'_>) {
    for _ in 0..Hook::VALUES {
        match (values.next(), layout.address) {
            (Some(value), _) => push(value, code),
            (None, ValType::I64) => drop(code.i64_const(0)),
            (None, _) => drop(code.i32_const(0)),
        }
    }
}

fn push(value: Value, code: &mut InstructionSink<'_>) {
    match value {
        Value::Whole(local) => code.local_get(local),
        Value::Low(local) => code.local_get(local).i32_wrap_i64(),
        Value::High(local) => code.local_get(local).i64_const(32).i64_shr_u().i32_wrap_i64(),
    };
}

fn push_params(ty: &FuncType, code: &mut InstructionSink<'_>) {
    for param in 0..ty.params().len() as u32 {
        code.local_get(param);
    }
}
