//! `memory.grow` of memory 0, replaced by a call of one function that grows and reports.

use wasm_encoder::Function;

use super::{Layout, contexts, encoded};
use crate::instrument::hooks::Hook;

/// The function that stands in for `memory.grow`: same operand, same result.
///
/// ```wat
/// (func (param $delta) (result $previous)
///   local.get $delta  memory.grow  local.set $previous
///   (call $grown $delta $previous $depth $context_low $context_high)
///   local.get $previous)
/// ```
pub(super) fn replacement(layout: &Layout) -> Vec<u8> {
    const DELTA: u32 = 0;
    const PREVIOUS: u32 = 1;
    const CONTEXT: u32 = 2;
    let locals = [(1, encoded(layout.address)), (1, wasm_encoder::ValType::I64)];
    let mut function = Function::new(locals);
    let mut code = function.instructions();
    code.global_get(layout.globals.context).local_set(CONTEXT);
    code.local_get(DELTA).memory_grow(0).local_set(PREVIOUS);
    code.local_get(DELTA).local_get(PREVIOUS).global_get(layout.globals.depth);
    contexts::push_context(CONTEXT, &mut code);
    code.call(layout.hook(Hook::Grown));
    code.local_get(PREVIOUS).end();
    function.into_raw_body()
}

/// The function that asks inside of the module what the host asks from outside:
/// `(func (result $pages) memory.size)`.
pub(super) fn size() -> Vec<u8> {
    let mut function = Function::new([]);
    function.instructions().memory_size(0).end();
    function.into_raw_body()
}
