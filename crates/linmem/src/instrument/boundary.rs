//! What crosses between the module and its host: which addresses go in and out.
//!
//! A block whose address has crossed may be held by the host, where linmem cannot look. So the host is
//! told of the values that could be addresses: the arguments and results of exported functions
//! (`entries`), and the arguments of imported ones (`stubs`). An `i64` of a module with a 32-bit memory
//! may be two of them: a pointer and a length, say. [`is_open`] says whether a module has other ways.

use wasm_encoder::{InstructionSink, ValType};
use wasmparser::FuncType;

use super::features::Features;
use super::hooks::Hook;
use super::index_space::IndexSpace;
use crate::module::Module;

/// Whether addresses can cross without a report: imported functions that are called through a table
/// or a reference, functions that the host gets as results or arguments, and results that stand beside
/// references.
pub(crate) fn is_open(module: &Module<'_>) -> bool {
    use wasmparser::ValType::Ref;
    let is_reference = |ty: &wasmparser::ValType| matches!(ty, Ref(_));
    let holds_function = |ty: &wasmparser::ValType| matches!(ty, Ref(ty) if !ty.is_extern_ref());
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

/// Whether an imported function could be handed an address that its host keeps. WASI's keep none.
fn takes_addresses(module: &Module<'_>, imported: u32) -> bool {
    let takes = module.function_type(imported).is_some_and(|ty| ty.params().iter().any(is_integer));
    takes && !module.is_of_wasi(imported)
}

fn is_integer(ty: &wasmparser::ValType) -> bool {
    matches!(ty, wasmparser::ValType::I32 | wasmparser::ValType::I64)
}

/// The encoder's form of a type that is not a reference.
pub(super) fn number_type(ty: wasmparser::ValType) -> Option<ValType> {
    match ty {
        wasmparser::ValType::I32 => Some(ValType::I32),
        wasmparser::ValType::I64 => Some(ValType::I64),
        wasmparser::ValType::F32 => Some(ValType::F32),
        wasmparser::ValType::F64 => Some(ValType::F64),
        wasmparser::ValType::V128 => Some(ValType::V128),
        wasmparser::ValType::Ref(_) => None,
    }
}

/// The type of a function. A valid module gives one to every function.
pub(super) fn type_of<'m>(module: &'m Module<'_>, function: u32) -> &'m FuncType {
    module.function_type(function).expect("functions have function types")
}

/// A value that could be an address.
#[derive(Clone, Copy)]
pub(super) enum Value {
    /// A local as it is.
    Whole(u32),
    /// The lower half of a local of 64 bits.
    Low(u32),
    /// The upper half.
    High(u32),
}

impl Value {
    pub(super) fn push(self, code: &mut InstructionSink<'_>) {
        match self {
            Value::Whole(local) => code.local_get(local),
            Value::Low(local) => code.local_get(local).i32_wrap_i64(),
            Value::High(local) => code.local_get(local).i64_const(32).i64_shr_u().i32_wrap_i64(),
        };
    }
}

pub(super) type Values = std::vec::IntoIter<Value>;

/// The values of locals, from `first` on, that can be addresses.
pub(super) fn addresses(features: &Features, types: &[wasmparser::ValType], first: u32) -> Values {
    let mut values = Vec::new();
    for (ty, local) in types.iter().zip(first..) {
        match number_type(*ty) {
            Some(ty) if ty == features.address => values.push(Value::Whole(local)),
            Some(ValType::I64) => values.extend([Value::Low(local), Value::High(local)]),
            _ => {}
        }
    }
    values.into_iter()
}

/// Reports all the values that are left, four at a time.
pub(super) fn report(
    features: &Features,
    space: &IndexSpace,
    hook: Hook,
    mut values: Values,
    code: &mut InstructionSink<'_>,
) {
    while values.len() > 0 {
        push_up_to_four(features, &mut values, code);
        space.call_hook(hook, code);
    }
}

/// Pushes the next four values, 0 where there are fewer.
pub(super) fn push_up_to_four(
    features: &Features,
    values: &mut Values,
    code: &mut InstructionSink<'_>,
) {
    for _ in 0..Hook::VALUES {
        match values.next() {
            Some(value) => value.push(code),
            None => features.push_address(0, code),
        }
    }
}

/// Pushes all parameters of the function that is written.
pub(super) fn push_params(ty: &FuncType, code: &mut InstructionSink<'_>) {
    for param in 0..ty.params().len() as u32 {
        code.local_get(param);
    }
}
