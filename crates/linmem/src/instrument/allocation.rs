//! Wrappers of allocator functions: same type, one event for each outermost call.

use wasm_encoder::{Function, InstructionSink, MemArg, ValType};

use super::{Layout, contexts, encoded};
use crate::allocator::{Effect, Param, Role};
use crate::instrument::hooks::Hook;
use crate::trace::UNKNOWN_SIZE;

/// `ENOMEM` of WASI, musl for wasm and Emscripten.
const ENOMEM: i32 = 48;

/// The function that stands in for `original`. For `malloc`:
///
/// ```wat
/// (func (param $size i32) (result i32)
///   global.get $depth
///   if  ;; inside another allocator function: not an event of its own
///     (return (call $original $size))
///   end
///   global.get $context  local.set $context
///   i32.const 1  global.set $depth
///   (call $original $size)  local.set $result
///   i32.const 0  global.set $depth
///   (call $allocated $result $size 0 $context_low $context_high)
///   local.get $result)
/// ```
pub(super) fn wrapper(layout: &Layout, role: Role, original: u32, can_fail: bool) -> Vec<u8> {
    let params = role.params().len() as u32;
    let wrapper = Wrapper { layout, role, original, context: params, result: params + 1 };
    let result = if role == Role::PosixMemalign { ValType::I32 } else { encoded(layout.address) };
    let mut body = Function::new([(1, ValType::I64), (1, result)]);
    let mut code = body.instructions();
    wrapper.pass_nested_calls(&mut code);
    code.global_get(layout.globals.context).local_set(wrapper.context);
    wrapper.report_before(&mut code);
    code.i32_const(1).global_set(layout.globals.depth);
    if can_fail && role.effect() != Effect::Frees {
        wrapper.call_unless_chosen_to_fail(result, &mut code);
    } else {
        wrapper.call_original(&mut code);
    }
    if role.effect() != Effect::Frees {
        code.local_set(wrapper.result);
    }
    code.i32_const(0).global_set(layout.globals.depth);
    wrapper.report_after(&mut code);
    if role.effect() != Effect::Frees {
        code.local_get(wrapper.result);
    }
    code.end();
    body.into_raw_body()
}

struct Wrapper<'l> {
    layout: &'l Layout,
    role: Role,
    original: u32,
    /// Local with the context of the call.
    context: u32,
    /// Local with the result.
    result: u32,
}

impl Wrapper<'_> {
    fn pass_nested_calls(&self, code: &mut InstructionSink<'_>) {
        code.global_get(self.layout.globals.depth).if_(wasm_encoder::BlockType::Empty);
        self.push_params(code);
        self.layout.call_last(self.original, code);
        code.return_().end();
    }

    fn call_original(&self, code: &mut InstructionSink<'_>) {
        self.push_params(code);
        code.call(self.original);
    }

    fn push_params(&self, code: &mut InstructionSink<'_>) {
        for param in 0..self.role.params().len() as u32 {
            code.local_get(param);
        }
    }

    fn call_unless_chosen_to_fail(&self, result: ValType, code: &mut InstructionSink<'_>) {
        let counter = self.layout.globals.until_failure;
        code.global_get(counter).i64_const(1).i64_sub().global_set(counter);
        code.global_get(counter).i64_eqz().if_(wasm_encoder::BlockType::Result(result));
        match (self.role, result) {
            (Role::PosixMemalign, _) => code.i32_const(ENOMEM),
            (_, ValType::I64) => code.i64_const(0),
            _ => code.i32_const(0),
        };
        code.else_();
        self.call_original(code);
        code.end();
    }

    /// Frees and reallocations are reported first, so that the event is there even when the
    /// allocator trips over a bad pointer.
    fn report_before(&self, code: &mut InstructionSink<'_>) {
        match self.role.effect() {
            Effect::Allocates => return,
            Effect::Frees => {
                self.push(Param::Pointer, code);
                self.push_or(Param::OldSize, UNKNOWN_SIZE, code);
                self.push_or(Param::Align, 0, code);
            }
            Effect::Reallocates => {
                self.push(Param::Pointer, code);
                self.push_or(Param::OldSize, UNKNOWN_SIZE, code);
                self.push_or(Param::Align, 0, code);
                self.push_size(code);
            }
        }
        contexts::push_context(self.context, code);
        code.call(self.layout.hook(match self.role.effect() {
            Effect::Frees => Hook::Freed,
            _ => Hook::Reallocating,
        }));
    }

    fn report_after(&self, code: &mut InstructionSink<'_>) {
        match self.role.effect() {
            Effect::Frees => {}
            Effect::Reallocates => {
                code.local_get(self.result).call(self.layout.hook(Hook::Reallocated));
            }
            Effect::Allocates => {
                self.push_new_block(code);
                self.push_size(code);
                self.push_or(Param::Align, 0, code);
                contexts::push_context(self.context, code);
                code.call(self.layout.hook(Hook::Allocated));
            }
        }
    }

    /// The new block's address, 0 if there is none.
    fn push_new_block(&self, code: &mut InstructionSink<'_>) {
        if self.role != Role::PosixMemalign {
            code.local_get(self.result);
            return;
        }
        // No error came back, so the address was stored where the first argument says; if only
        // the function is what its name says.
        let address = encoded(self.layout.address);
        let memory = MemArg { offset: 0, align: 0, memory_index: 0 };
        code.local_get(self.result).i32_eqz();
        self.push_whether_result_address_is_in_memory(code);
        code.i32_and().if_(wasm_encoder::BlockType::Result(address));
        self.push(Param::ResultAddress, code);
        match address {
            ValType::I64 => code.i64_load(memory),
            _ => code.i32_load(memory),
        };
        code.else_();
        self.push_constant(0, code);
        code.end();
    }

    fn push_whether_result_address_is_in_memory(&self, code: &mut InstructionSink<'_>) {
        let (word_bytes, is_64) = match self.layout.address {
            wasmparser::ValType::I64 => (8, true),
            _ => (4, false),
        };
        let extended = |code: &mut InstructionSink<'_>| {
            if !is_64 {
                code.i64_extend_i32_u();
            }
        };
        let memory_bytes = |code: &mut InstructionSink<'_>| {
            code.memory_size(0);
            extended(code);
            code.i64_const(self.layout.page_bytes as i64).i64_mul();
        };
        memory_bytes(code);
        code.i64_const(word_bytes).i64_ge_u();
        self.push(Param::ResultAddress, code);
        extended(code);
        memory_bytes(code);
        code.i64_const(word_bytes).i64_sub().i64_le_u().i32_and();
    }

    /// The bytes asked for: `size`, or `count * size`, which saturates as an allocator must
    /// refuse a product that does not fit.
    fn push_size(&self, code: &mut InstructionSink<'_>) {
        let counted = self.role.params().contains(&Param::Count);
        self.push(Param::Size, code);
        if !counted {
            return;
        }
        if self.layout.address == wasmparser::ValType::I64 {
            self.push(Param::Count, code);
            code.i64_mul();
            return;
        }
        let product = |code: &mut InstructionSink<'_>| {
            self.push(Param::Size, code);
            code.i64_extend_i32_u();
            self.push(Param::Count, code);
            code.i64_extend_i32_u().i64_mul();
        };
        self.push(Param::Count, code);
        code.i32_mul().i32_const(-1);
        product(code);
        code.i64_const(32).i64_shr_u().i64_eqz().select();
    }

    fn push(&self, param: Param, code: &mut InstructionSink<'_>) {
        match self.role.params().iter().position(|p| *p == param) {
            Some(local) => code.local_get(local as u32),
            None => unreachable!("{} has no {param:?}", self.role),
        };
    }

    fn push_or(&self, param: Param, otherwise: u64, code: &mut InstructionSink<'_>) {
        if self.role.params().contains(&param) {
            self.push(param, code);
        } else {
            self.push_constant(otherwise, code);
        }
    }

    fn push_constant(&self, value: u64, code: &mut InstructionSink<'_>) {
        match self.layout.address {
            wasmparser::ValType::I64 => code.i64_const(value as i64),
            _ => code.i32_const(value as i32),
        };
    }
}
