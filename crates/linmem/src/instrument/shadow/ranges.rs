//! Checks of whole ranges.

use wasm_encoder::{BlockType, Function, ValType};

use super::{Scan, resize};
use crate::instrument::features::Features;
use crate::instrument::hooks::{self, Hook};
use crate::instrument::index_space::{AddedGlobal, Helper, IndexSpace};
use crate::instrument::inserted::{Inserted, Reached, Signature};

/// The functions that check ranges.
pub(super) fn functions() -> [Box<dyn Inserted>; 3] {
    [Box::new(CheckRange), Box::new(IsAccessible), Box::new(TellAccessible)]
}

/// Checks a range of addresses: `(instruction, address, bytes, AccessedBy)`. Tells the host of it if any of them is not
/// right. Past the end of the memory the instruction traps then.
struct CheckRange;

impl Inserted for CheckRange {
    is!("check a range", Reached::ByCode(Helper::CheckRange), |address| [ValType::I32, address, address, ValType::I32] -> []);

    fn body(&self, _: &Features, space: &IndexSpace) -> Vec<u8> {
        const INSTRUCTION: u32 = 0;
        const ADDRESS: u32 = 1;
        const BYTES: u32 = 2;
        const BY: u32 = 3;
        let mut function = Function::new([]);
        let mut code = function.instructions();
        // As for the log.
        code.global_get(space.global(AddedGlobal::Depth)).if_(BlockType::Empty).return_().end();
        code.local_get(ADDRESS).local_get(BYTES).call(space.helper(Helper::IsAccessible));
        code.i32_eqz().if_(BlockType::Empty);
        code.local_get(INSTRUCTION).local_get(ADDRESS).local_get(BYTES).local_get(BY);
        space.call_hook(Hook::BadAccess, &mut code);
        code.end().end();
        function.into_raw_body()
    }
}

/// Whether a range lies in the memory, and all of it may be accessed: `(address, bytes) -> i32`.
struct IsAccessible;

impl Inserted for IsAccessible {
    is!("look at a range", Reached::ByCode(Helper::IsAccessible), |address| [address, address] -> [ValType::I32]);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const ADDRESS: u32 = 0;
        const BYTES: u32 = 1;
        const NOW: u32 = 2;
        const END: u32 = 3;
        let mut function = Function::new([(2, ValType::I64)]);
        let mut code = function.instructions();
        code.local_get(ADDRESS);
        features.extend(&mut code);
        code.local_tee(NOW).local_get(BYTES);
        features.extend(&mut code);
        code.i64_add().local_set(END);
        code.local_get(END).local_get(NOW).i64_lt_u().local_get(END);
        features.push_memory_bytes(&mut code);
        code.i64_gt_u().i32_or().if_(BlockType::Empty).i32_const(0).return_().end();
        Scan { features, space, now: NOW, end: END }.to_first(&mut code);
        code.local_get(NOW).local_get(END).i64_ge_u().end();
        function.into_raw_body()
    }
}

/// The same for the host, which may have grown the memory.
struct TellAccessible;

impl Inserted for TellAccessible {
    is!("tell whether a range may be accessed", Reached::ByExport(hooks::ACCESSIBLE_EXPORT), |address| [address, address] -> [ValType::I32]);

    fn body(&self, _: &Features, space: &IndexSpace) -> Vec<u8> {
        let mut function = Function::new([]);
        let mut code = function.instructions();
        resize(space, &mut code);
        code.local_get(0).local_get(1).call(space.helper(Helper::IsAccessible)).end();
        function.into_raw_body()
    }
}
