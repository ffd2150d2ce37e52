//! The log of accesses that are not right, which the host is told of before the function is left.

use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::at;
use crate::instrument::features::Features;
use crate::instrument::hooks::{self, Hook};
use crate::instrument::index_space::{AddedGlobal, AddedMemory, Helper, IndexSpace};
use crate::instrument::inserted::{Inserted, Reached, Signature};
use crate::trace::AccessedBy;

/// Accesses that the log has room for. The first ones stay.
const LOG_ENTRIES: i32 = 4096;

/// Bytes of the log in its memory, with an entry behind it.
pub(super) const LOG_BYTES: u64 = (LOG_ENTRIES as u64 + 1) * 16;

/// The functions that read the log.
pub(super) fn functions() -> [Box<dyn Inserted>; 2] {
    [Box::new(Tell), Box::new(TellRest)]
}

/// Tells the host of all accesses in the log.
struct Tell;

impl Inserted for Tell {
    is!("tell of accesses", Reached::ByCode(Helper::Tell), |_address| [] -> []);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const END: u32 = 0;
        const ENTRY: u32 = 1;
        let logged = space.global(AddedGlobal::Logged);
        let mut function = Function::new([(2, ValType::I32)]);
        let mut code = function.instructions();
        code.global_get(logged).local_set(END);
        code.i32_const(0).global_set(logged);
        // What the allocator does in code that it shares with the program is right.
        code.global_get(space.global(AddedGlobal::Depth)).if_(BlockType::Empty).return_().end();
        let entry = |offset| at(space, AddedMemory::Log, offset);
        code.loop_(BlockType::Empty);
        if features.is_64() {
            code.local_get(ENTRY).i32_load(entry(0)).local_get(ENTRY).i64_load(entry(8));
        } else {
            code.local_get(ENTRY).i32_load(entry(4)).local_get(ENTRY).i32_load(entry(0));
        }
        features.push_address(0, &mut code);
        code.i32_const(AccessedBy::Instruction as i32);
        space.call_hook(Hook::BadAccess, &mut code);
        code.local_get(ENTRY).i32_const(entry_bytes(features)).i32_add().local_tee(ENTRY);
        code.local_get(END).i32_lt_u().br_if(0).end();
        code.local_get(END).i32_const(log_bytes(features)).i32_eq().if_(BlockType::Empty);
        code.i32_const(0);
        features.push_address(0, &mut code);
        features.push_address(0, &mut code);
        code.i32_const(AccessedBy::Untold as i32);
        space.call_hook(Hook::BadAccess, &mut code);
        code.end().end();
        function.into_raw_body()
    }
}

/// Lets the host ask for what is in the log when a trap has ended the function that would have told of it.
struct TellRest;

impl Inserted for TellRest {
    is!("tell of the last accesses", Reached::ByExport(hooks::TELL_EXPORT), |_address| [] -> []);

    fn body(&self, _: &Features, space: &IndexSpace) -> Vec<u8> {
        let mut function = Function::new([]);
        let mut code = function.instructions();
        drain(space, &mut code);
        code.end();
        function.into_raw_body()
    }
}

/// Pushes how many bytes of accesses are in the log.
pub(in crate::instrument) fn push_logged(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    code.global_get(space.global(AddedGlobal::Logged));
}

/// Hands the log to the host.
pub(in crate::instrument) fn tell(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    code.call(space.helper(Helper::Tell));
}

/// Hands the log to the host, if there is something in it.
pub(in crate::instrument) fn drain(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    push_logged(space, code);
    code.if_(BlockType::Empty);
    tell(space, code);
    code.end();
}

/// Appends an access to the log: the offset of its instruction, and the address, which is in a local. Where addresses have
/// 32 bits, both are one word.
pub(in crate::instrument) fn log(
    features: &Features,
    space: &IndexSpace,
    instruction: usize,
    address: u32,
    code: &mut InstructionSink<'_>,
) {
    let logged = space.global(AddedGlobal::Logged);
    let entry = |offset| at(space, AddedMemory::Log, offset);
    if features.is_64() {
        code.global_get(logged).i64_const(instruction as i64).i64_store(entry(0));
        code.global_get(logged).local_get(address).i64_store(entry(8));
    } else {
        code.global_get(logged);
        code.local_get(address).i64_extend_i32_u().i64_const((instruction as i64) << 32).i64_or();
        code.i64_store(entry(0));
    }
    // An entry more, unless the log is full.
    code.global_get(logged).i32_const(entry_bytes(features));
    code.global_get(logged).i32_const(log_bytes(features)).i32_lt_u();
    code.i32_mul().i32_add().global_set(logged);
}

/// Bytes of an entry. It is a power of two.
fn entry_bytes(features: &Features) -> i32 {
    if features.is_64() { 16 } else { 8 }
}

/// Bytes of a full log. What comes then goes behind it, each to the same place.
fn log_bytes(features: &Features) -> i32 {
    LOG_ENTRIES * entry_bytes(features)
}
