//! The shadow of memory 0, which says of each byte whether it may be accessed, and what keeps it right.
//!
//! The shadow is a second memory with one byte for each byte, [`SHIFT`] bytes further up: 0 where an access is
//! right, and one of [`State`] where it is not. A third memory holds what has no room elsewhere:
//!
//! | module | what is in it |
//! |---|---|
//! | [`log`](mod@log) | the log, to which checks append what they find |
//! | [`ranges`] | checks of whole ranges |
//! | [`wasi_calls`] | checks of what the module hands to WASI |
//! | [`blocks`] | blocks, as the shadow has them |
//! | [`canaries`] | what is written behind blocks, for writes of the host to be seen |
//! | [`quarantine`] | freed blocks that the allocator does not get back yet |
//! | [`moves`] | blocks that move when they get larger |
//!
//! All of it is code in the module, so hosts have only to hear what is in the log. None of them sees the two memories,
//! which lets an engine know that what is written there changes nothing else.

/// What an inserted function is, apart from its code: its name, how it is reached, and its type, given that of addresses.
macro_rules! is {
    ($name:literal, $reached:expr, |$address:ident| [$($param:expr),*] -> [$($result:expr),*]) => {
        fn ty(&self, features: &Features) -> Signature {
            let $address = features.address;
            Signature::New(vec![$($param),*], vec![$($result),*])
        }

        fn name(&self) -> String {
            $name.to_owned()
        }

        fn reached(&self) -> Reached {
            $reached
        }
    };
}

mod blocks;
mod canaries;
mod log;
mod moves;
mod quarantine;
mod ranges;
mod wasi_calls;

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, MemoryType, ValType};

use super::features::Features;
use super::index_space::{AddedMemory, Helper, IndexSpace};
use super::inserted::{Inserted, Reached, Signature};
use super::mode::NewMemory;
use crate::module::memory_map::MemoryMap;
use crate::module::{Module, PAGE_BYTES};
use crate::prepared::Prepared;

pub(super) use blocks::push_redzone_of;
pub(super) use canaries::{lend, look_at_block, look_at_lent};
pub(super) use log::{drain, log, push_logged, tell};
pub(super) use moves::moves;

/// What a byte of memory is that must not be accessed, as the shadow has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody's: the allocator has it, or nobody does.
    Unallocated = 1,
    /// Near address 0, below all that the module has there.
    Low = 2,
    /// Behind a block.
    Redzone = 3,
    /// In a block that was freed.
    Freed = 4,
    /// Behind a block, where something else than the module has written.
    Overwritten = 5,
}

/// How far above a byte's own address its shadow lies, in the other memory.
///
/// V8 places memories at multiples of 1 GiB, so without a shift the lower 30 bits of both addresses would be equal. AMD's
/// processors choose the way of the first cache by a hash of such bits (Lipp et al., *Take A Way*, 2020), and many others
/// compare 12 bits when a load follows a store: each access would be in the way of its own check. Measured in Node 24 on a
/// Zen 3: a list takes 6.6 times as long as without checks, and 3.7 times with the shift. 64 to 8,192 bytes were alike.
pub(super) const SHIFT: u64 = 1024;

/// Behind the shadow of the last byte, so many more are there: a word that begins at a byte's shadow can be loaded.
const BEHIND: u64 = 8;

/// The pages that the shadow has more than the memory.
pub(super) fn excess_pages(page_bytes: u64) -> u64 {
    (SHIFT + BEHIND).div_ceil(page_bytes)
}

/// Makes an address in the shadow of the one on the stack.
// As wasm, linmem is smaller when such functions are not inlined.
#[inline(never)]
pub(super) fn to_shadow(features: &Features, code: &mut InstructionSink<'_>) {
    features.push_address(SHIFT, code);
    features.add(code);
}

/// Pages of the third memory.
pub(super) const LOG_PAGES: u64 = quarantine::END.div_ceil(PAGE_BYTES);

/// What checking takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes behind each block that must not be accessed.
    pub(super) redzone: u32,
    /// Bytes of freed blocks that are kept from the allocator.
    pub(super) quarantine: u64,
}

/// The functions that keep the shadow right. Where the blocks of the heap are not all seen, only what is near
/// address 0 can be told.
pub(super) fn functions<'m>(
    prepared: &'m Prepared<'_>,
    limits: Limits,
    knows_heap: bool,
) -> Vec<Box<dyn Inserted + 'm>> {
    let set_up = SetUp { module: &prepared.module, null_bytes: prepared.null_bytes(), knows_heap };
    let mut functions: Vec<Box<dyn Inserted + 'm>> = vec![Box::new(set_up), Box::new(Resize)];
    functions.extend(log::functions());
    functions.extend(ranges::functions());
    functions.extend(wasi_calls::functions(prepared, knows_heap));
    if knows_heap {
        functions.extend(blocks::functions(prepared));
        functions.extend(canaries::functions(limits.redzone));
        functions.extend(quarantine::functions(prepared, limits));
        functions.extend(moves::functions(prepared));
    }
    functions
}

/// The shadow, which grows to the memory's size when the module is instantiated, and the log.
pub(super) fn memories(prepared: &Prepared<'_>) -> Vec<NewMemory> {
    let memory = prepared.module.memories[0];
    let page_size_log2 = (memory.page_bytes != PAGE_BYTES).then(|| memory.page_bytes.ilog2());
    let ty = |minimum, memory64, page_size_log2| MemoryType {
        minimum,
        maximum: None,
        memory64,
        shared: false,
        page_size_log2,
    };
    vec![
        NewMemory {
            memory: AddedMemory::Shadow,
            ty: ty(
                memory.initial_pages.saturating_add(excess_pages(memory.page_bytes)),
                memory.is_64,
                page_size_log2,
            ),
        },
        NewMemory { memory: AddedMemory::Log, ty: ty(LOG_PAGES, false, None) },
    ]
}

/// A place in the log's memory, or in the shadow of an address, which instructions of each width take.
fn at(space: &IndexSpace, memory: AddedMemory, offset: u64) -> MemArg {
    let shift = if memory == AddedMemory::Shadow { SHIFT } else { 0 };
    MemArg { offset: offset + shift, align: 0, memory_index: space.memory(memory) }
}

/// Runs when the module is instantiated, before its own start function: what is wrong from the start.
struct SetUp<'m> {
    module: &'m Module<'m>,
    null_bytes: u64,
    knows_heap: bool,
}

impl Inserted for SetUp<'_> {
    is!("set up the shadow", Reached::AtStart, |_address| [] -> []);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        let mut function = Function::new([]);
        let mut code = function.instructions();
        let shadow = space.memory(AddedMemory::Shadow);
        code.call(space.helper(Helper::Resize));
        let low = self.null_bytes;
        if low > 0 {
            // A memory can have no page, or pages of a byte.
            features.push_memory_bytes(&mut code);
            code.i64_const(low as i64).i64_ge_u().if_(BlockType::Empty);
            features.push_address(SHIFT, &mut code);
            code.i32_const(State::Low as i32);
            features.push_address(low, &mut code);
            code.memory_fill(shadow).end();
        }
        if let Some(heap) = self.heap_base() {
            // A module that says where its heap begins may begin with less memory.
            features.push_memory_bytes(&mut code);
            code.i64_const(heap as i64).i64_gt_u().if_(BlockType::Empty);
            features.push_address(heap.saturating_add(SHIFT), &mut code);
            code.i32_const(State::Unallocated as i32);
            features.push_memory_bytes(&mut code);
            code.i64_const(heap as i64).i64_sub();
            features.wrap(&mut code);
            code.memory_fill(shadow).end();
        }
        if let Some(start) = self.module.start {
            code.call(space.target(start));
        }
        code.end();
        function.into_raw_body()
    }
}

impl SetUp<'_> {
    /// Where the heap begins, if nothing is in it yet.
    fn heap_base(&self) -> Option<u64> {
        let heap = MemoryMap::of(self.module).heap_base.filter(|_| self.knows_heap)?;
        // Data in the heap: the module was snapshotted, and has blocks already.
        let has_data = self.module.data.iter().any(|segment| segment.len > 0);
        let has_blocks = self.module.data_end().map_or(has_data, |end| end > heap);
        (!has_blocks).then_some(heap)
    }
}

/// How many bytes are near NULL in a module that has all its pointers from the host, which may have put something there. `None` where
/// there are none, or the module gets memory by itself.
pub(super) fn low_bytes_of_host(prepared: &Prepared<'_>) -> Option<u64> {
    // A smaller page may be all the memory there is.
    let has_room = prepared.module.memories[0].page_bytes == PAGE_BYTES;
    let low = prepared.null_bytes();
    (low > 0 && has_room && !prepared.gets_memory()).then_some(low)
}

/// Memory near NULL in a call of the host, where all pointers come from it. If it passes address 0, it has a buffer there, in this call
/// and in those inside it.
pub(super) struct LowInCall {
    /// How many bytes are near NULL.
    pub(super) bytes: u64,
    /// Locals with what the shadow had before, and has in the call.
    pub(super) before: u32,
    pub(super) now: u32,
}

impl LowInCall {
    /// Begins the call, given the locals with what the host passes, and with the call's level.
    pub(super) fn begin(
        &self,
        features: &Features,
        space: &IndexSpace,
        passed: impl Iterator<Item = u32>,
        level: u32,
        code: &mut InstructionSink<'_>,
    ) {
        const ACCESSIBLE: i32 = 0;
        push_first(features, space, code);
        code.local_set(self.before);
        code.i32_const(ACCESSIBLE).i32_const(State::Low as i32);
        code.local_get(level).i32_const(0).i32_ne();
        code.local_get(self.before).i32_eqz().i32_and();
        for local in passed {
            code.local_get(local);
            features.eqz(code);
            code.i32_or();
        }
        code.select().local_set(self.now);
        self.change_to(self.now, features, space, code);
    }

    /// Ends it.
    pub(super) fn end(
        &self,
        features: &Features,
        space: &IndexSpace,
        code: &mut InstructionSink<'_>,
    ) {
        self.change_to(self.before, features, space, code);
    }

    /// Mostly it stays as it is.
    fn change_to(
        &self,
        state: u32,
        features: &Features,
        space: &IndexSpace,
        code: &mut InstructionSink<'_>,
    ) {
        push_first(features, space, code);
        code.local_get(state).i32_ne().if_(BlockType::Empty);
        features.push_address(SHIFT, code);
        code.local_get(state);
        features.push_address(self.bytes, code);
        code.memory_fill(space.memory(AddedMemory::Shadow)).end();
    }
}

/// Pushes what the byte at address 0 is.
fn push_first(features: &Features, space: &IndexSpace, code: &mut InstructionSink<'_>) {
    features.push_address(0, code);
    code.i32_load8_u(at(space, AddedMemory::Shadow, 0));
}

/// Makes the shadow as large as the memory, which others may have grown. What is new may be accessed.
struct Resize;

impl Inserted for Resize {
    is!("resize the shadow", Reached::ByCode(Helper::Resize), |_address| [] -> []);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const MORE: u32 = 0;
        let shadow = space.memory(AddedMemory::Shadow);
        let mut function = Function::new([(1, features.address)]);
        let mut code = function.instructions();
        code.memory_size(0);
        features.push_address(excess_pages(features.page_bytes), &mut code);
        features.add(&mut code);
        code.memory_size(shadow);
        features.sub(&mut code);
        code.local_tee(MORE);
        features.push_address(0, &mut code);
        match features.is_64() {
            true => code.i64_gt_s(),
            false => code.i32_gt_s(),
        };
        code.if_(BlockType::Empty);
        code.local_get(MORE).memory_grow(shadow).drop().end().end();
        function.into_raw_body()
    }
}

/// Makes the shadow as large as the memory, if it is not.
pub(super) fn resize(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    code.call(space.helper(Helper::Resize));
}

/// A walk through the shadow: two locals of type `i64`, the address now and where to end.
struct Scan<'s> {
    features: &'s Features,
    space: &'s IndexSpace,
    now: u32,
    end: u32,
}

impl Scan<'_> {
    /// Goes on over bytes that may be accessed, eight at a time and then one at a time, to the first that may not.
    fn to_first(&self, code: &mut InstructionSink<'_>) {
        self.steps(8, code);
        self.steps(1, code);
    }

    fn steps(&self, bytes: i64, code: &mut InstructionSink<'_>) {
        let Scan { features, space, now, end } = *self;
        code.block(BlockType::Empty).loop_(BlockType::Empty);
        code.local_get(now).i64_const(bytes).i64_add().local_get(end).i64_gt_u().br_if(1);
        code.local_get(now);
        features.wrap(code);
        let shadow = at(space, AddedMemory::Shadow, 0);
        match bytes {
            8 => code.i64_load(shadow),
            _ => code.i64_load8_u(shadow),
        };
        code.i64_const(0).i64_ne().br_if(1);
        code.local_get(now).i64_const(bytes).i64_add().local_set(now).br(0);
        code.end().end();
    }
}

/// Pushes whether the byte at the address in a local has a state. Past the end of the memory none has.
#[inline(never)]
fn push_is(
    features: &Features,
    space: &IndexSpace,
    pointer: u32,
    state: State,
    code: &mut InstructionSink<'_>,
) {
    code.local_get(pointer);
    features.extend(code);
    features.push_memory_bytes(code);
    code.i64_lt_u().if_(BlockType::Result(ValType::I32));
    code.local_get(pointer).i32_load8_u(at(space, AddedMemory::Shadow, 0));
    code.i32_const(state as i32).i32_eq();
    code.else_().i32_const(0).end();
}
