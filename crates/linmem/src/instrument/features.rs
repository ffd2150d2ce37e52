//! What the module uses of WebAssembly, as far as inserted code depends on it.

use wasm_encoder::{InstructionSink, ValType};

use crate::module::Module;

/// What the module uses of WebAssembly.
pub(super) struct Features {
    /// The type of addresses and sizes in memory 0.
    pub(super) address: ValType,
    /// Bytes in a page of memory 0.
    pub(super) page_bytes: u64,
    /// Whether there are tail calls. A chain of them through inserted functions must not use more
    /// and more stack.
    tail_calls: bool,
}

impl Features {
    /// Those of a module that has a memory.
    pub(super) fn of(module: &Module<'_>) -> Features {
        let memory = module.memories[0];
        Features {
            address: if memory.is_64 { ValType::I64 } else { ValType::I32 },
            page_bytes: memory.page_bytes,
            tail_calls: has_tail_calls(module),
        }
    }

    /// Whether addresses are 64 bits wide.
    pub(super) fn is_64(&self) -> bool {
        self.address == ValType::I64
    }

    /// Pushes an address or a size; the upper half is lost where addresses have 32 bits.
    #[inline(never)]
    pub(super) fn push_address(&self, value: u64, code: &mut InstructionSink<'_>) {
        match self.address {
            ValType::I64 => code.i64_const(value as i64),
            _ => code.i32_const(value as i32),
        };
    }

    /// Adds two addresses.
    pub(super) fn add(&self, code: &mut InstructionSink<'_>) {
        if self.is_64() {
            code.i64_add()
        } else {
            code.i32_add()
        };
    }

    /// Subtracts one address from another.
    pub(super) fn sub(&self, code: &mut InstructionSink<'_>) {
        if self.is_64() {
            code.i64_sub()
        } else {
            code.i32_sub()
        };
    }

    /// Multiplies two sizes.
    pub(super) fn mul(&self, code: &mut InstructionSink<'_>) {
        if self.is_64() {
            code.i64_mul()
        } else {
            code.i32_mul()
        };
    }

    /// Whether an address is 0.
    pub(super) fn eqz(&self, code: &mut InstructionSink<'_>) {
        if self.is_64() {
            code.i64_eqz()
        } else {
            code.i32_eqz()
        };
    }

    /// Whether an address is not 0.
    pub(super) fn nez(&self, code: &mut InstructionSink<'_>) {
        if self.is_64() {
            code.i64_const(0).i64_ne()
        } else {
            code.i32_const(0).i32_ne()
        };
    }

    /// Whether an address is -1, as the result of a growth that was refused.
    pub(super) fn is_refusal(&self, code: &mut InstructionSink<'_>) {
        self.push_address(u64::MAX, code);
        if self.is_64() {
            code.i64_eq()
        } else {
            code.i32_eq()
        };
    }

    /// Makes an `i64` of an address.
    #[inline(never)]
    pub(super) fn extend(&self, code: &mut InstructionSink<'_>) {
        if !self.is_64() {
            code.i64_extend_i32_u();
        }
    }

    /// Makes an address of an `i64`.
    #[inline(never)]
    pub(super) fn wrap(&self, code: &mut InstructionSink<'_>) {
        if !self.is_64() {
            code.i32_wrap_i64();
        }
    }

    /// Pushes how many bytes memory 0 has, as an `i64`.
    #[inline(never)]
    pub(super) fn push_memory_bytes(&self, code: &mut InstructionSink<'_>) {
        code.memory_size(0);
        self.extend(code);
        code.i64_const(self.page_bytes as i64).i64_mul();
    }

    /// Calls a function whose results are those of the caller.
    pub(super) fn call_last(&self, function: u32, code: &mut InstructionSink<'_>) {
        if self.tail_calls {
            code.return_call(function);
        } else {
            code.call(function);
        }
    }
}

fn has_tail_calls(module: &Module<'_>) -> bool {
    // `return_call`, `return_call_indirect` and `return_call_ref`.
    const RETURN_CALLS: [u8; 3] = [0x12, 0x13, 0x15];
    let bodies = module.functions.iter().filter_map(|function| function.body.as_ref());
    bodies
        .flat_map(|body| &body.sites)
        .any(|site| RETURN_CALLS.contains(&module.bytes[site.offset]))
}
