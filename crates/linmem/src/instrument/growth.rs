//! `memory.grow` of memory 0, replaced by a call of one function that grows and reports.

use wasm_encoder::{Function, ValType};

use super::contexts;
use super::features::Features;
use super::hooks::Hook;
use super::index_space::{AddedGlobal, IndexSpace};
use super::inserted::{Inserted, Reached, Signature};
use super::offset_map::Origin;
use crate::module::SiteKind;

/// The function that stands in for `memory.grow`: same operand, same result.
///
/// ```wat
/// (func (param $delta) (result $previous)
///   local.get $delta  memory.grow  local.set $previous
///   (call $grown $delta $previous $depth $context_low $context_high)
///   local.get $previous)
/// ```
pub(super) struct Growth;

impl Inserted for Growth {
    fn ty(&self, features: &Features) -> Signature {
        Signature::New(vec![features.address], vec![features.address])
    }

    fn name(&self) -> String {
        "memory.grow".to_owned()
    }

    fn origin(&self) -> Origin {
        Origin::Added
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
        code.local_get(DELTA).memory_grow(0).local_set(PREVIOUS);
        code.local_get(DELTA).local_get(PREVIOUS).global_get(space.global(AddedGlobal::Depth));
        contexts::push_context(CONTEXT, &mut code);
        space.call_hook(Hook::Grown, &mut code);
        code.local_get(PREVIOUS).end();
        function.into_raw_body()
    }
}
