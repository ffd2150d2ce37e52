//! Canaries: known bytes behind each block. What the module itself writes there its checks find, so
//! where they have changed, somebody else has written: the host, mostly, past the end of a block that it knows.
//!
//! They are looked at when a block is freed or reallocated. Those of blocks that the host has been handed are
//! looked at whenever it has been active: a table has the last ones, by their address.

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

use super::log::LOG_BYTES;
use super::{State, at, push_is};
use crate::instrument::boundary::Values;
use crate::instrument::features::Features;
use crate::instrument::hooks::Hook;
use crate::instrument::index_space::{AddedGlobal, AddedMemory, Helper, IndexSpace};
use crate::instrument::inserted::{Inserted, Reached, Signature};
use crate::trace::AccessedBy;

/// The first byte of a canary. It is in no text of UTF-8, and nobody writes it to mark an end. The other bytes
/// are 0: a text without an end shall not go on for longer than it does without checks.
const CANARY: u8 = 0xfd;

/// Blocks that the table has room for. One that comes to the same place takes it.
const LENT: u64 = 64;

/// Bytes of a block's entry: its address and its end.
const LENT_BYTES: u64 = 16;

/// Where the table ends. It begins behind the log.
pub(super) const LENT_END: u64 = LOG_BYTES + LENT * LENT_BYTES;

/// The functions that look at canaries, of this many bytes.
pub(super) fn functions(redzone: u32) -> [Box<dyn Inserted>; 4] {
    [Box::new(LookBehind { redzone }), Box::new(LookAtBlock), Box::new(Lend), Box::new(LookAtLent)]
}

/// Takes the values that are the start of a block into the table: the host has them now.
pub(in crate::instrument) fn lend(
    space: &IndexSpace,
    values: Values,
    code: &mut InstructionSink<'_>,
) {
    for value in values {
        value.push(code);
        code.call(space.helper(Helper::Lend));
    }
}

/// Looks at the canaries of the blocks in the table.
pub(in crate::instrument) fn look_at_lent(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    code.call(space.helper(Helper::LookAtLent));
}

/// Takes a pointer from the stack, and looks at the canary of the block that starts there.
pub(in crate::instrument) fn look_at_block(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    code.call(space.helper(Helper::LookAtBlock));
}

/// Takes the end of a block from the stack, and looks at the canary there, if the block has one.
pub(super) fn look_behind(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    code.call(space.helper(Helper::LookBehind));
}

/// A byte of memory 0.
fn byte() -> MemArg {
    MemArg { offset: 0, align: 0, memory_index: 0 }
}

/// Writes a canary, given the locals with its address and its bytes. It has at least one, or none is written.
pub(super) fn write(features: &Features, [end, bytes]: [u32; 2], code: &mut InstructionSink<'_>) {
    code.local_get(end).i32_const(0).local_get(bytes).memory_fill(0);
    code.local_get(bytes);
    features.nez(code);
    code.if_(BlockType::Empty);
    code.local_get(end).i32_const(CANARY.into()).i32_store8(byte()).end();
}

/// Pushes whether a byte of the canary at `end` is not as it was written.
fn push_has_changed(features: &Features, address: u32, end: u32, code: &mut InstructionSink<'_>) {
    code.local_get(address).i32_load8_u(byte());
    code.i32_const(CANARY.into()).i32_const(0).local_get(address).local_get(end);
    features.sub(code);
    features.eqz(code);
    code.select().i32_ne();
}

/// Tells the host if the canary at an address has changed, once: `(end)`. There may be none.
struct LookBehind {
    redzone: u32,
}

impl Inserted for LookBehind {
    is!("look behind a block", Reached::ByCode(Helper::LookBehind), |address| [address] -> []);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const END: u32 = 0;
        const FIRST: u32 = 1;
        const LAST: u32 = 2;
        let mut function = Function::new([(2, features.address)]);
        let mut code = function.instructions();
        // What was told stays as it is: the program may need it.
        push_is(features, space, END, State::Redzone, &mut code);
        code.i32_eqz().if_(BlockType::Empty).return_().end();
        let step = |local: u32, down: bool, code: &mut InstructionSink<'_>| {
            code.local_get(local);
            features.push_address(1, code);
            if down {
                features.sub(code);
            } else {
                features.add(code);
            }
            code.local_set(local);
        };
        // Past the last byte; then the bytes that are as they were, from behind.
        code.local_get(END);
        features.push_address(self.redzone.into(), &mut code);
        features.add(&mut code);
        code.local_set(LAST);
        code.block(BlockType::Empty).loop_(BlockType::Empty);
        code.local_get(LAST).local_get(END);
        features.sub(&mut code);
        features.eqz(&mut code);
        code.if_(BlockType::Empty).return_().end();
        step(LAST, true, &mut code);
        push_has_changed(features, LAST, END, &mut code);
        code.br_if(1);
        code.br(0).end().end();
        code.local_get(END).local_set(FIRST);
        code.block(BlockType::Empty).loop_(BlockType::Empty);
        push_has_changed(features, FIRST, END, &mut code);
        code.br_if(1);
        step(FIRST, false, &mut code);
        code.br(0).end().end();
        code.i32_const(0).local_get(FIRST).local_get(LAST).local_get(FIRST);
        features.sub(&mut code);
        features.push_address(1, &mut code);
        features.add(&mut code);
        code.i32_const(AccessedBy::Overwritten as i32);
        space.call_hook(Hook::BadAccess, &mut code);
        code.local_get(END).i32_const(State::Overwritten as i32);
        code.i32_store8(at(space, AddedMemory::Shadow, 0)).end();
        function.into_raw_body()
    }
}

/// Looks at the canary of a block: `(pointer)`.
struct LookAtBlock;

impl Inserted for LookAtBlock {
    is!("look at a block", Reached::ByCode(Helper::LookAtBlock), |address| [address] -> []);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const POINTER: u32 = 0;
        const SIZE: u32 = 1;
        let mut function = Function::new([(1, features.address)]);
        let mut code = function.instructions();
        code.local_get(POINTER).call(space.helper(Helper::Measure)).local_tee(SIZE);
        features.nez(&mut code);
        code.if_(BlockType::Empty).local_get(POINTER).local_get(SIZE);
        features.add(&mut code);
        look_behind(space, &mut code);
        code.end().end();
        function.into_raw_body()
    }
}

/// Takes a block into the table, if one starts at this address: `(pointer)`.
struct Lend;

impl Inserted for Lend {
    is!("lend a block", Reached::ByCode(Helper::Lend), |address| [address] -> []);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const POINTER: u32 = 0;
        const ENTRY: u32 = 1;
        const ADDRESS: u32 = 2;
        const SIZE: u32 = 3;
        let mut function = Function::new([(1, ValType::I32), (2, ValType::I64)]);
        let mut code = function.instructions();
        code.local_get(POINTER);
        features.extend(&mut code);
        code.local_tee(ADDRESS).i64_eqz().local_get(ADDRESS);
        features.push_memory_bytes(&mut code);
        code.i64_ge_u().i32_or().if_(BlockType::Empty).return_().end();
        // Blocks begin at multiples of eight, mostly.
        code.local_get(ADDRESS).i32_wrap_i64().i32_const(3).i32_shr_u();
        code.local_get(ADDRESS).i32_wrap_i64().i32_const(9).i32_shr_u().i32_xor();
        code.i32_const(LENT as i32 - 1).i32_and();
        code.i32_const(LENT_BYTES as i32).i32_mul().local_set(ENTRY);
        let entry = |offset| at(space, AddedMemory::Log, LOG_BYTES + offset);
        // It is there already, most of the time.
        code.local_get(ENTRY).i64_load(entry(0)).local_get(ADDRESS).i64_eq();
        code.if_(BlockType::Empty);
        push_is_end(features, space, ENTRY, &mut code);
        code.if_(BlockType::Empty).return_().end().end();
        code.local_get(POINTER).call(space.helper(Helper::Measure));
        features.extend(&mut code);
        code.local_tee(SIZE).i64_eqz().if_(BlockType::Empty).return_().end();
        code.local_get(ENTRY).local_get(ADDRESS).i64_store(entry(0));
        code.local_get(ENTRY).local_get(ADDRESS).local_get(SIZE).i64_add().i64_store(entry(8));
        code.end();
        function.into_raw_body()
    }
}

/// Pushes whether a block ends where the entry says whose place in the table is in a local.
#[inline(never)]
fn push_is_end(
    features: &Features,
    space: &IndexSpace,
    entry: u32,
    code: &mut InstructionSink<'_>,
) {
    let end = |code: &mut InstructionSink<'_>| {
        code.local_get(entry).i64_load(at(space, AddedMemory::Log, LOG_BYTES + 8));
        features.wrap(code);
    };
    let shadow = at(space, AddedMemory::Shadow, 0);
    end(code);
    features.push_address(1, code);
    features.sub(code);
    code.i32_load8_u(shadow).i32_eqz();
    end(code);
    code.call(space.helper(Helper::IsRedzone)).i32_and();
}

/// Looks at the canaries of the blocks in the table, and forgets those that are blocks no longer.
struct LookAtLent;

impl Inserted for LookAtLent {
    is!("look at lent blocks", Reached::ByCode(Helper::LookAtLent), |_address| [] -> []);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const ENTRY: u32 = 0;
        let mut function = Function::new([(1, ValType::I32)]);
        let mut code = function.instructions();
        // What the allocator has under way, the shadow does not know: it may call an import to copy a block.
        code.global_get(space.global(AddedGlobal::Depth)).if_(BlockType::Empty).return_().end();
        let entry = |offset| at(space, AddedMemory::Log, LOG_BYTES + offset);
        code.i32_const((LENT * LENT_BYTES) as i32).local_set(ENTRY);
        code.loop_(BlockType::Empty);
        code.local_get(ENTRY).i32_const(LENT_BYTES as i32).i32_sub().local_tee(ENTRY);
        code.i64_load(entry(0)).i64_const(0).i64_ne().if_(BlockType::Empty);
        push_is_end(features, space, ENTRY, &mut code);
        code.if_(BlockType::Empty);
        code.local_get(ENTRY).i64_load(entry(8));
        features.wrap(&mut code);
        look_behind(space, &mut code);
        code.else_().local_get(ENTRY).i64_const(0).i64_store(entry(0)).end().end();
        code.local_get(ENTRY).br_if(0).end().end();
        function.into_raw_body()
    }
}
