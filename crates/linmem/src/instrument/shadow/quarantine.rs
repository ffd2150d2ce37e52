//! The quarantine: freed blocks that the allocator does not get back yet.

use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::blocks::push_redzone_of;
use super::canaries::{self, LENT_END};
use super::{Limits, State, at, push_is};
use crate::allocator::{Allocator, Effect, Param, Role};
use crate::instrument::features::Features;
use crate::instrument::index_space::{AddedGlobal, AddedMemory, Helper, IndexSpace};
use crate::instrument::inserted::{Inserted, Reached, Signature};
use crate::module::Module;
use crate::prepared::Prepared;

/// Where in the log's memory the quarantine begins.
const QUARANTINE: u64 = LENT_END;

/// Blocks that the quarantine has room for.
const QUARANTINED: u64 = 1 << 16;

/// Bytes of a quarantined block's entry: the block's size in the shadow, which function frees it, and up to four
/// arguments.
const QUARANTINED_BYTES: u64 = 48;

/// Where the quarantine ends.
pub(super) const END: u64 = QUARANTINE + QUARANTINED * QUARANTINED_BYTES;

/// The functions that put blocks into the quarantine, and give them back.
pub(super) fn functions<'m>(
    prepared: &'m Prepared<'_>,
    limits: Limits,
) -> Vec<Box<dyn Inserted + 'm>> {
    let module = &prepared.module;
    let frees = frees(prepared.allocator());
    let mut functions: Vec<Box<dyn Inserted + 'm>> =
        vec![Box::new(ReleaseAll), Box::new(ReleaseOldest { frees: frees.clone() })];
    let retire = |(nth, (function, role))| -> Box<dyn Inserted + 'm> {
        Box::new(Retire { nth, module, function, role, limits })
    };
    functions.extend((0..).zip(frees).map(retire));
    functions
}

/// The functions that free, with their roles, in order.
fn frees(allocator: &Allocator) -> Vec<(u32, Role)> {
    let frees = allocator.functions.iter().filter(|f| f.role.effect() == Effect::Frees);
    frees.map(|hooked| (hooked.function, hooked.role)).collect()
}

/// Takes a freed block into the quarantine instead of freeing it: the arguments are those of the function that frees.
struct Retire<'m> {
    /// Its number among those that free.
    nth: i32,
    module: &'m Module<'m>,
    function: u32,
    role: Role,
    limits: Limits,
}

impl Inserted for Retire<'_> {
    fn ty(&self, _: &Features) -> Signature {
        Signature::Of(self.function)
    }

    fn name(&self) -> String {
        format!("retire: {}", self.module.function_name(self.function).unwrap_or_default())
    }

    fn reached(&self) -> Reached {
        Reached::ByCode(Helper::Retire(self.function))
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        let params = self.role.params();
        let pointer = position(params, Param::Pointer).expect("what frees takes a pointer");
        let size = params.len() as u32;
        let entry = size + 1;
        let [head, tail, bytes] =
            [AddedGlobal::Oldest, AddedGlobal::Newest, AddedGlobal::Quarantined]
                .map(|g| space.global(g));
        let mut function = Function::new([(1, features.address), (1, ValType::I32)]);
        let mut code = function.instructions();
        // With its redzone, as the allocator knows it.
        if let Some(old_size) = position(params, Param::OldSize) {
            code.local_get(old_size);
            code.local_get(pointer).local_get(old_size);
            push_redzone_of(features, space, self.limits.redzone, &mut code);
            features.add(&mut code);
            code.local_set(old_size);
        }
        code.local_get(pointer).call(space.helper(Helper::Forget)).local_tee(size);
        features.eqz(&mut code);
        code.if_(BlockType::Empty);
        // Freed before: the allocator must not hear of it again while it does not have it.
        push_is(features, space, pointer, State::Freed, &mut code);
        code.if_(BlockType::Empty).return_().end();
        push_params(params.len() as u32, &mut code);
        code.call(space.moved(self.function)).return_().end();
        code.local_get(pointer).local_get(size);
        features.add(&mut code);
        canaries::look_behind(space, &mut code);
        // There is room, or room is made.
        code.global_get(tail).global_get(head).i32_sub().i32_const(QUARANTINED as i32);
        code.i32_ge_u().if_(BlockType::Empty).call(space.helper(Helper::ReleaseOldest)).end();
        push_entry(tail, &mut code);
        code.local_tee(entry).local_get(size);
        features.extend(&mut code);
        code.i64_store(at(space, AddedMemory::Log, QUARANTINE));
        code.local_get(entry).i32_const(self.nth);
        code.i32_store(at(space, AddedMemory::Log, QUARANTINE + 8));
        for param in 0..params.len() as u32 {
            code.local_get(entry).local_get(param);
            features.extend(&mut code);
            code.i64_store(at(space, AddedMemory::Log, QUARANTINE + argument(param)));
        }
        code.global_get(tail).i32_const(1).i32_add().global_set(tail);
        code.global_get(bytes).local_get(size);
        features.extend(&mut code);
        code.i64_add().global_set(bytes);
        code.block(BlockType::Empty).loop_(BlockType::Empty);
        code.global_get(bytes).i64_const(self.limits.quarantine as i64).i64_le_u().br_if(1);
        code.global_get(head).global_get(tail).i32_eq().br_if(1);
        code.call(space.helper(Helper::ReleaseOldest)).br(0).end().end();
        code.end();
        function.into_raw_body()
    }
}

/// Where an argument stands in the entry of a quarantined block.
fn argument(nth: u32) -> u64 {
    16 + 8 * u64::from(nth)
}

/// Pushes the address of the entry whose number is in a global.
fn push_entry(number: u32, code: &mut InstructionSink<'_>) {
    code.global_get(number).i32_const(QUARANTINED as i32 - 1).i32_and();
    code.i32_const(QUARANTINED_BYTES as i32).i32_mul();
}

fn position(params: &[Param], param: Param) -> Option<u32> {
    params.iter().position(|p| *p == param).map(|position| position as u32)
}

fn push_params(count: u32, code: &mut InstructionSink<'_>) {
    for param in 0..count {
        code.local_get(param);
    }
}

/// Gives the oldest block of the quarantine back to the allocator.
struct ReleaseOldest {
    frees: Vec<(u32, Role)>,
}

impl Inserted for ReleaseOldest {
    is!("release the oldest block", Reached::ByCode(Helper::ReleaseOldest), |_address| [] -> []);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const ENTRY: u32 = 0;
        let [head, bytes] =
            [AddedGlobal::Oldest, AddedGlobal::Quarantined].map(|g| space.global(g));
        let mut function = Function::new([(1, ValType::I32)]);
        let mut code = function.instructions();
        push_entry(head, &mut code);
        code.local_set(ENTRY);
        code.global_get(head).i32_const(1).i32_add().global_set(head);
        code.global_get(bytes).local_get(ENTRY);
        code.i64_load(at(space, AddedMemory::Log, QUARANTINE)).i64_sub().global_set(bytes);
        for (nth, (function, role)) in (0..).zip(&self.frees) {
            code.local_get(ENTRY).i32_load(at(space, AddedMemory::Log, QUARANTINE + 8));
            code.i32_const(nth).i32_eq().if_(BlockType::Empty);
            for param in 0..role.params().len() as u32 {
                code.local_get(ENTRY);
                code.i64_load(at(space, AddedMemory::Log, QUARANTINE + argument(param)));
                features.wrap(&mut code);
            }
            code.call(space.moved(*function)).return_().end();
        }
        code.end();
        function.into_raw_body()
    }
}

/// Gives all blocks of the quarantine back.
struct ReleaseAll;

impl Inserted for ReleaseAll {
    is!("release all blocks", Reached::ByCode(Helper::ReleaseAll), |_address| [] -> []);

    fn body(&self, _: &Features, space: &IndexSpace) -> Vec<u8> {
        let [head, tail] = [AddedGlobal::Oldest, AddedGlobal::Newest].map(|g| space.global(g));
        let mut function = Function::new([]);
        let mut code = function.instructions();
        code.block(BlockType::Empty).loop_(BlockType::Empty);
        code.global_get(head).global_get(tail).i32_eq().br_if(1);
        code.call(space.helper(Helper::ReleaseOldest)).br(0);
        code.end().end().end();
        function.into_raw_body()
    }
}
