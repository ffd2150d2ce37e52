//! `memory.grow` of memory 0, replaced by a call of one function that grows and reports.

use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::contexts;
use super::features::Features;
use super::hooks::Hook;
use super::index_space::{AddedGlobal, AddedMemory, Helper, IndexSpace};
use super::inserted::{Inserted, Reached, Signature};
use super::shadow::{State, to_shadow};
use crate::module::SiteKind;

/// The function that stands in for `memory.grow`: same operand, same result.
///
/// ```wat
/// (func (param $delta) (result $previous)
///   local.get $delta  memory.grow  local.set $previous
///   (call $grown $delta $previous $depth $context_low $context_high)
///   local.get $previous)
/// ```
///
/// A shadow of the memory grows first: there must never be memory without it. If the allocator asked, nobody owns what is
/// new.
pub(super) struct Growth {
    /// Whether there is a shadow, and if so whether the heap's blocks are known in it.
    pub(super) shadow: Option<bool>,
}

impl Inserted for Growth {
    fn ty(&self, features: &Features) -> Signature {
        Signature::New(vec![features.address], vec![features.address])
    }

    fn name(&self) -> String {
        "memory.grow".to_owned()
    }

    fn reached(&self) -> Reached {
        Reached::AtInstructions(SiteKind::MemoryGrow(0))
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const DELTA: u32 = 0;
        const PREVIOUS: u32 = 1;
        const CONTEXT: u32 = 2;
        let mut function = Function::new([(1, features.address), (1, ValType::I64)]);
        let mut code = function.instructions();
        code.global_get(space.global(AddedGlobal::Context)).local_set(CONTEXT);
        if self.shadow.is_some() {
            self.grow_shadow(features, space, DELTA, &mut code);
        }
        code.local_get(DELTA).memory_grow(0).local_set(PREVIOUS);
        if self.shadow == Some(true) {
            self.own_new_pages(features, space, [DELTA, PREVIOUS], &mut code);
        }
        code.local_get(DELTA).local_get(PREVIOUS).global_get(space.global(AddedGlobal::Depth));
        contexts::push_context(CONTEXT, &mut code);
        space.call_hook(Hook::Grown, &mut code);
        code.local_get(PREVIOUS).end();
        function.into_raw_body()
    }
}

impl Growth {
    /// Without a larger shadow the growth is refused.
    fn grow_shadow(
        &self,
        features: &Features,
        space: &IndexSpace,
        delta: u32,
        code: &mut InstructionSink<'_>,
    ) {
        let shadow = space.memory(AddedMemory::Shadow);
        code.call(space.helper(Helper::Resize));
        code.local_get(delta).memory_grow(shadow);
        features.is_refusal(code);
        code.if_(BlockType::Empty);
        features.push_address(u64::MAX, code);
        code.return_().end();
    }

    fn own_new_pages(
        &self,
        features: &Features,
        space: &IndexSpace,
        [delta, previous]: [u32; 2],
        code: &mut InstructionSink<'_>,
    ) {
        let page_bytes = features.page_bytes;
        let times_page = |local: u32, code: &mut InstructionSink<'_>| {
            code.local_get(local);
            features.push_address(page_bytes, code);
            features.mul(code);
        };
        code.local_get(previous);
        features.is_refusal(code);
        code.i32_eqz().global_get(space.global(AddedGlobal::Depth)).i32_const(0).i32_ne().i32_and();
        code.if_(BlockType::Empty);
        times_page(previous, code);
        to_shadow(features, code);
        code.i32_const(State::Unallocated as i32);
        times_page(delta, code);
        code.memory_fill(space.memory(AddedMemory::Shadow)).end();
    }
}
