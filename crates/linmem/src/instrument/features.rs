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
    pub(super) fn push_address(&self, value: u64, code: &mut InstructionSink<'_>) {
        match self.address {
            ValType::I64 => code.i64_const(value as i64),
            _ => code.i32_const(value as i32),
        };
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
