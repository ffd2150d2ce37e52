//! The shadow of memory 0, which says of each byte whether it may be accessed, and what keeps it right.
//!
//! The shadow is a second memory with one byte for each byte, at the same address: 0 where an access is
//! right, and one of [`State`] where it is not. What the checks find they append to a log in a third memory,
//! which also holds the quarantine: freed blocks that the allocator does not get back yet.
//!
//! All of it is code in the module, so hosts have only to hear what is in the log. None of them sees the two memories,
//! which lets an engine know that what is written there changes nothing else.

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, MemoryType, ValType};

use super::checks;
use super::features::Features;
use super::hooks::{self, Hook};
use super::index_space::{AddedGlobal, AddedMemory, Helper, IndexSpace};
use super::inserted::{Inserted, Reached, Signature};
use super::mode::NewMemory;
use super::offset_map::Origin;
use crate::allocator::{Allocator, AllocatorFunction, Effect, Param, Role};
use crate::module::memory_map::MemoryMap;
use crate::module::{Access, Module, PAGE_BYTES};
use crate::prepared::Prepared;
use crate::trace::AccessedBy;

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
}

/// Accesses that the log has room for. The last ones stay.
const LOG_ENTRIES: u64 = 4096;

/// Where in the log's memory the quarantine begins.
const QUARANTINE: u64 = LOG_ENTRIES * 16;

/// Blocks that the quarantine has room for.
const QUARANTINED: u64 = 1 << 16;

/// Bytes of a quarantined block's entry: the block's size in the shadow, which function frees it, and up to four
/// arguments.
const QUARANTINED_BYTES: u64 = 48;

/// Pages of the third memory.
pub(super) const LOG_PAGES: u64 =
    (QUARANTINE + QUARANTINED * QUARANTINED_BYTES).div_ceil(PAGE_BYTES);

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
    let module = &prepared.module;
    let mut functions: Vec<Box<dyn Inserted + 'm>> = vec![
        Box::new(SetUp { module, knows_heap }),
        Box::new(Resize),
        Box::new(Tell),
        Box::new(TellRest),
        Box::new(CheckRange),
    ];
    if knows_heap {
        let frees = frees(prepared.allocator());
        functions.push(Box::new(Give::of(prepared)));
        functions.push(Box::new(Measure));
        functions.push(Box::new(Forget));
        functions.extend(usable_sizes(prepared).map(|function| -> Box<dyn Inserted + 'm> {
            Box::new(UsableSize { module, function })
        }));
        functions.push(Box::new(IsRedzone));
        functions.push(Box::new(ReleaseAll));
        functions.push(Box::new(ReleaseOldest { frees: frees.clone() }));
        let retire = |(nth, (function, role))| -> Box<dyn Inserted + 'm> {
            Box::new(Retire { nth, module, function, role, limits })
        };
        functions.extend((0..).zip(frees).map(retire));
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
            ty: ty(memory.initial_pages, memory.is_64, page_size_log2),
        },
        NewMemory { memory: AddedMemory::Log, ty: ty(LOG_PAGES, false, None) },
    ]
}

/// The functions that say how much of a block can be used, by their names or their code.
fn usable_sizes(prepared: &Prepared<'_>) -> impl Iterator<Item = u32> {
    let module = &prepared.module;
    let hooked = prepared.allocator().hooked();
    let defined = module.imported_functions()..module.functions.len() as u32;
    defined.filter(move |function| {
        let name = prepared.function_name(*function);
        let is_named = USABLE_SIZE.contains(&name.trim_start_matches('_'));
        let is_meant = is_named || reads_size_alone(module, *function);
        is_meant && !hooked.contains(function) && is_of_address(module, *function)
    })
}

/// Whether all that a function does is to take a block's size out of the word in front of it.
fn reads_size_alone(module: &Module<'_>, function: u32) -> bool {
    const LONGEST: usize = 40;
    let Some(body) = &module.functions[function as usize].body else { return false };
    let operators: Vec<_> = body.operators_with_offsets(module.bytes).take(LONGEST + 1).collect();
    let is_other = |operator: &wasmparser::Operator<'_>| {
        use wasmparser::Operator::{Call, CallIndirect, GlobalSet, Loop, MemoryGrow};
        matches!(
            operator,
            Call { .. } | CallIndirect { .. } | GlobalSet { .. } | Loop { .. } | MemoryGrow { .. }
        ) || Access::of(operator).is_some_and(|access| access.is_write)
    };
    operators.len() <= LONGEST
        && !operators.iter().any(|(operator, _)| is_other(operator))
        && (0..operators.len()).any(|nth| checks::reads_header(&operators, nth))
}

/// Whether a function takes and returns an address.
fn is_of_address(module: &Module<'_>, function: u32) -> bool {
    let address = match module.memories[0].is_64 {
        true => wasmparser::ValType::I64,
        false => wasmparser::ValType::I32,
    };
    let ty = module.function_type(function);
    ty.is_some_and(|ty| ty.params() == [address] && ty.results() == [address])
}

/// What allocators call the function that says how much of a block can be used.
const USABLE_SIZE: [&str; 6] = [
    "malloc_usable_size",
    "dlmalloc_usable_size",
    "emscripten_builtin_malloc_usable_size",
    "mi_usable_size",
    "mi_malloc_usable_size",
    "malloc_size",
];

/// The functions that free, with their roles, in order.
fn frees(allocator: &Allocator) -> Vec<(u32, Role)> {
    let frees = allocator.functions.iter().filter(|f| f.role.effect() == Effect::Frees);
    frees.map(|hooked| (hooked.function, hooked.role)).collect()
}

/// A place in a memory that is as wide as the instruction that goes there.
fn at(space: &IndexSpace, memory: AddedMemory, offset: u64) -> MemArg {
    MemArg { offset, align: 0, memory_index: space.memory(memory) }
}

fn helper(helper: Helper) -> Reached {
    Reached::ByCode(helper)
}

/// Runs when the module is instantiated, before its own start function: what is wrong from the start.
struct SetUp<'m> {
    module: &'m Module<'m>,
    knows_heap: bool,
}

impl Inserted for SetUp<'_> {
    fn ty(&self, _: &Features) -> Signature {
        Signature::New(vec![], vec![])
    }

    fn name(&self) -> String {
        "set up the shadow".to_owned()
    }

    fn reached(&self) -> Reached {
        Reached::AtStart
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        let mut function = Function::new([]);
        let mut code = function.instructions();
        let shadow = space.memory(AddedMemory::Shadow);
        code.call(space.helper(Helper::Resize));
        let low = self.module.low_memory_bytes();
        if low > 0 {
            // A memory can have no page, or pages of a byte.
            features.push_memory_bytes(&mut code);
            code.i64_const(low as i64).i64_ge_u().if_(BlockType::Empty);
            features.push_address(0, &mut code);
            code.i32_const(State::Low as i32);
            features.push_address(low, &mut code);
            code.memory_fill(shadow).end();
        }
        if let Some(heap) = self.heap_base() {
            // A module that says where its heap begins may begin with less memory.
            features.push_memory_bytes(&mut code);
            code.i64_const(heap as i64).i64_gt_u().if_(BlockType::Empty);
            features.push_address(heap, &mut code);
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

/// Makes the shadow as large as the memory, which others may have grown. What is new may be accessed.
struct Resize;

impl Inserted for Resize {
    fn ty(&self, _: &Features) -> Signature {
        Signature::New(vec![], vec![])
    }

    fn name(&self) -> String {
        "resize the shadow".to_owned()
    }

    fn reached(&self) -> Reached {
        helper(Helper::Resize)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const MORE: u32 = 0;
        let shadow = space.memory(AddedMemory::Shadow);
        let mut function = Function::new([(1, features.address)]);
        let mut code = function.instructions();
        code.memory_size(0).memory_size(shadow);
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

/// Tells the host of all accesses in the log.
struct Tell;

impl Inserted for Tell {
    fn ty(&self, _: &Features) -> Signature {
        Signature::New(vec![], vec![])
    }

    fn name(&self) -> String {
        "tell of accesses".to_owned()
    }

    fn reached(&self) -> Reached {
        helper(Helper::Tell)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const LEFT: u32 = 0;
        const ENTRY: u32 = 1;
        let logged = space.global(AddedGlobal::Logged);
        let mut function = Function::new([(2, ValType::I32)]);
        let mut code = function.instructions();
        // What the allocator does in code that it shares with the program is right.
        code.global_get(space.global(AddedGlobal::Depth)).if_(BlockType::Empty);
        code.i32_const(0).global_set(logged).return_().end();
        // Of a full log, the last ones.
        code.global_get(logged).i32_const(LOG_ENTRIES as i32);
        code.global_get(logged).i32_const(LOG_ENTRIES as i32).i32_lt_u().select().local_set(LEFT);
        code.global_get(logged).local_get(LEFT).i32_sub().global_set(logged);
        code.block(BlockType::Empty).loop_(BlockType::Empty);
        code.local_get(LEFT).i32_eqz().br_if(1);
        push_log_entry(features, logged, &mut code);
        code.local_set(ENTRY);
        let entry = |offset| at(space, AddedMemory::Log, offset);
        if features.is_64() {
            code.local_get(ENTRY).i32_load(entry(0)).local_get(ENTRY).i64_load(entry(8));
        } else {
            code.local_get(ENTRY).i32_load(entry(4)).local_get(ENTRY).i32_load(entry(0));
        }
        features.push_address(0, &mut code);
        code.i32_const(AccessedBy::Instruction as i32);
        space.call_hook(Hook::BadAccess, &mut code);
        code.global_get(logged).i32_const(1).i32_add().global_set(logged);
        code.local_get(LEFT).i32_const(1).i32_sub().local_set(LEFT).br(0).end().end();
        code.i32_const(0).global_set(logged).end();
        function.into_raw_body()
    }
}

/// Lets the host ask for what is in the log when a trap has ended the function that would have told of it.
struct TellRest;

impl Inserted for TellRest {
    fn ty(&self, _: &Features) -> Signature {
        Signature::New(vec![], vec![])
    }

    fn name(&self) -> String {
        "tell of the last accesses".to_owned()
    }

    fn reached(&self) -> Reached {
        Reached::ByExport(hooks::TELL_EXPORT)
    }

    fn body(&self, _: &Features, space: &IndexSpace) -> Vec<u8> {
        let mut function = Function::new([]);
        let mut code = function.instructions();
        drain(space, &mut code);
        code.end();
        function.into_raw_body()
    }
}

/// Pushes how many accesses are in the log.
pub(super) fn push_logged(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    code.global_get(space.global(AddedGlobal::Logged));
}

/// Hands the log to the host.
pub(super) fn tell(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    code.call(space.helper(Helper::Tell));
}

/// Hands the log to the host, if there is something in it.
pub(super) fn drain(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    push_logged(space, code);
    code.if_(BlockType::Empty);
    tell(space, code);
    code.end();
}

/// Makes the shadow as large as the memory, if it is not.
pub(super) fn resize(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    code.call(space.helper(Helper::Resize));
}

/// Appends an access to the log: the offset of its instruction, and the address, which is in a local. Where addresses have
/// 32 bits, both are one word.
pub(super) fn log(
    features: &Features,
    space: &IndexSpace,
    instruction: usize,
    address: u32,
    code: &mut InstructionSink<'_>,
) {
    let logged = space.global(AddedGlobal::Logged);
    push_log_entry(features, logged, code);
    if features.is_64() {
        code.i64_const(instruction as i64).i64_store(at(space, AddedMemory::Log, 0));
        push_log_entry(features, logged, code);
        code.local_get(address).i64_store(at(space, AddedMemory::Log, 8));
    } else {
        code.local_get(address).i64_extend_i32_u().i64_const((instruction as i64) << 32).i64_or();
        code.i64_store(at(space, AddedMemory::Log, 0));
    }
    code.global_get(logged).i32_const(1).i32_add().global_set(logged);
}

/// Pushes the address of the entry whose number is in a global.
fn push_log_entry(features: &Features, number: u32, code: &mut InstructionSink<'_>) {
    let entry_bytes: i32 = if features.is_64() { 16 } else { 8 };
    code.global_get(number).i32_const(LOG_ENTRIES as i32 - 1).i32_and();
    code.i32_const(entry_bytes.trailing_zeros() as i32).i32_shl();
}

/// Checks a range of addresses: `(instruction, address, bytes, AccessedBy)`. Tells the host of it if any of them is not
/// right.
struct CheckRange;

impl Inserted for CheckRange {
    fn ty(&self, features: &Features) -> Signature {
        let address = features.address;
        Signature::New(vec![ValType::I32, address, address, ValType::I32], vec![])
    }

    fn name(&self) -> String {
        "check a range".to_owned()
    }

    fn reached(&self) -> Reached {
        helper(Helper::CheckRange)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const INSTRUCTION: u32 = 0;
        const ADDRESS: u32 = 1;
        const BYTES: u32 = 2;
        const BY: u32 = 3;
        const NOW: u32 = 4;
        const END: u32 = 5;
        let mut function = Function::new([(2, ValType::I64)]);
        let mut code = function.instructions();
        // As for `Tell`.
        code.global_get(space.global(AddedGlobal::Depth)).if_(BlockType::Empty).return_().end();
        code.local_get(ADDRESS);
        features.extend(&mut code);
        code.local_tee(NOW).local_get(BYTES);
        features.extend(&mut code);
        code.i64_add().local_set(END);
        // Beyond the memory, the instruction traps by itself.
        code.local_get(END).local_get(NOW).i64_lt_u().local_get(END);
        features.push_memory_bytes(&mut code);
        code.i64_gt_u().i32_or().if_(BlockType::Empty).return_().end();
        Scan { features, space, now: NOW, end: END }.to_first(&mut code);
        code.local_get(NOW).local_get(END).i64_lt_u().if_(BlockType::Empty);
        code.local_get(INSTRUCTION).local_get(ADDRESS).local_get(BYTES).local_get(BY);
        space.call_hook(Hook::BadAccess, &mut code);
        code.end().end();
        function.into_raw_body()
    }
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

/// A block is the program's now: `(pointer, size, redzone)`.
struct Give {
    /// Whether the word in front of each block is the allocator's, and is not known to be so from the start.
    has_headers: bool,
}

impl Give {
    /// Where the heap begins is not said in a module with its stack first and without names. The word in front of a block
    /// of C's `malloc` is the allocator's, or another block's redzone.
    fn of(prepared: &Prepared<'_>) -> Give {
        let knows_base = MemoryMap::of(&prepared.module).heap_base.is_some();
        let has_malloc = |hooked: &AllocatorFunction| hooked.role == Role::Malloc;
        let has_malloc = prepared.allocator().functions.iter().any(has_malloc);
        Give { has_headers: !knows_base && has_malloc }
    }

    /// Takes the word in front of the block from the program.
    fn own_header(&self, features: &Features, space: &IndexSpace, code: &mut InstructionSink<'_>) {
        const POINTER: u32 = 0;
        const HEADER_BYTES: u64 = 4;
        code.local_get(POINTER);
        features.extend(code);
        code.i64_const(HEADER_BYTES as i64).i64_gt_u().if_(BlockType::Empty);
        code.local_get(POINTER);
        features.push_address(HEADER_BYTES, code);
        features.sub(code);
        code.i32_const(State::Unallocated as i32);
        features.push_address(HEADER_BYTES, code);
        code.memory_fill(space.memory(AddedMemory::Shadow)).end();
    }
}

impl Inserted for Give {
    fn ty(&self, features: &Features) -> Signature {
        Signature::New(vec![features.address, features.address, features.address], vec![])
    }

    fn name(&self) -> String {
        "give a block".to_owned()
    }

    fn reached(&self) -> Reached {
        helper(Helper::Give)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const POINTER: u32 = 0;
        const SIZE: u32 = 1;
        const REDZONE: u32 = 2;
        let shadow = space.memory(AddedMemory::Shadow);
        let mut function = Function::new([]);
        let mut code = function.instructions();
        // The function may not be what its name says.
        let push = |local: u32, code: &mut InstructionSink<'_>| {
            code.local_get(local);
            features.extend(code);
        };
        for local in [POINTER, SIZE] {
            push(local, &mut code);
            features.push_memory_bytes(&mut code);
            code.i64_gt_u().if_(BlockType::Empty).return_().end();
        }
        push(POINTER, &mut code);
        push(SIZE, &mut code);
        code.i64_add();
        push(REDZONE, &mut code);
        code.i64_add();
        features.push_memory_bytes(&mut code);
        code.i64_gt_u().if_(BlockType::Empty).return_().end();
        if self.has_headers {
            self.own_header(features, space, &mut code);
        }
        code.local_get(POINTER).i32_const(0).local_get(SIZE).memory_fill(shadow);
        code.local_get(POINTER).local_get(SIZE);
        features.add(&mut code);
        code.i32_const(State::Redzone as i32).local_get(REDZONE).memory_fill(shadow).end();
        function.into_raw_body()
    }
}

/// Says how large a block is: `(pointer) -> size`. 0 where no block of at least one byte starts there.
struct Measure;

impl Inserted for Measure {
    fn ty(&self, features: &Features) -> Signature {
        Signature::New(vec![features.address], vec![features.address])
    }

    fn name(&self) -> String {
        "measure a block".to_owned()
    }

    fn reached(&self) -> Reached {
        helper(Helper::Measure)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const POINTER: u32 = 0;
        const NOW: u32 = 1;
        const END: u32 = 2;
        let mut function = Function::new([(2, ValType::I64)]);
        let mut code = function.instructions();
        let shadow = |offset| at(space, AddedMemory::Shadow, offset);
        features.push_memory_bytes(&mut code);
        code.local_set(END).local_get(POINTER);
        features.extend(&mut code);
        code.local_tee(NOW);
        // NULL, or past the end.
        code.i64_eqz().local_get(NOW).local_get(END).i64_ge_u().i32_or();
        code.if_(BlockType::Empty);
        features.push_address(0, &mut code);
        code.return_().end();
        // What is in front of a block belongs to none.
        code.local_get(POINTER);
        features.push_address(1, &mut code);
        features.sub(&mut code);
        code.i32_load8_u(shadow(0)).i32_eqz();
        code.local_get(POINTER).i32_load8_u(shadow(0)).i32_const(0).i32_ne();
        code.i32_or().if_(BlockType::Empty);
        features.push_address(0, &mut code);
        code.return_().end();
        Scan { features, space, now: NOW, end: END }.to_first(&mut code);
        code.local_get(NOW).local_get(POINTER);
        features.extend(&mut code);
        code.i64_sub();
        features.wrap(&mut code);
        code.end();
        function.into_raw_body()
    }
}

/// A block is the program's no longer: `(pointer) -> size`. 0 where no block of at least one byte starts there.
struct Forget;

impl Inserted for Forget {
    fn ty(&self, features: &Features) -> Signature {
        Signature::New(vec![features.address], vec![features.address])
    }

    fn name(&self) -> String {
        "take a block".to_owned()
    }

    fn reached(&self) -> Reached {
        helper(Helper::Forget)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const POINTER: u32 = 0;
        const SIZE: u32 = 1;
        let mut function = Function::new([(1, features.address)]);
        let mut code = function.instructions();
        code.local_get(POINTER).call(space.helper(Helper::Measure)).local_tee(SIZE);
        features.nez(&mut code);
        code.if_(BlockType::Empty);
        code.local_get(POINTER).i32_const(State::Freed as i32).local_get(SIZE);
        code.memory_fill(space.memory(AddedMemory::Shadow)).end();
        code.local_get(SIZE).end();
        function.into_raw_body()
    }
}

/// Stands in for the allocator's `malloc_usable_size`: what the program may use of a block is what it asked for.
struct UsableSize<'m> {
    module: &'m Module<'m>,
    function: u32,
}

impl Inserted for UsableSize<'_> {
    fn ty(&self, _: &Features) -> Signature {
        Signature::Of(self.function)
    }

    fn name(&self) -> String {
        format!("usable size: {}", self.module.function_name(self.function).unwrap_or_default())
    }

    fn origin(&self) -> Origin {
        Origin::Wrapper(self.function)
    }

    fn reached(&self) -> Reached {
        Reached::Instead(self.function)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const POINTER: u32 = 0;
        const SIZE: u32 = 1;
        let mut function = Function::new([(1, features.address)]);
        let mut code = function.instructions();
        code.local_get(POINTER).call(space.helper(Helper::Measure)).local_tee(SIZE);
        features.eqz(&mut code);
        code.if_(BlockType::Empty);
        code.local_get(POINTER).call(space.moved(self.function)).return_().end();
        code.local_get(SIZE).end();
        function.into_raw_body()
    }
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
        helper(Helper::Retire(self.function))
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

/// Pushes whether the byte at the address in a local has a state. Past the end of the memory none has.
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

/// Takes a pointer and a size from the stack, and pushes how many bytes of a redzone follow that block: all or none.
pub(super) fn push_redzone_of(
    features: &Features,
    space: &IndexSpace,
    redzone: u32,
    code: &mut InstructionSink<'_>,
) {
    features.add(code);
    code.call(space.helper(Helper::IsRedzone)).if_(BlockType::Result(features.address));
    features.push_address(redzone.into(), code);
    code.else_();
    features.push_address(0, code);
    code.end();
}

/// Whether an address lies in a redzone: `(address) -> i32`.
struct IsRedzone;

impl Inserted for IsRedzone {
    fn ty(&self, features: &Features) -> Signature {
        Signature::New(vec![features.address], vec![ValType::I32])
    }

    fn name(&self) -> String {
        "look for a redzone".to_owned()
    }

    fn reached(&self) -> Reached {
        helper(Helper::IsRedzone)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        let mut function = Function::new([]);
        let mut code = function.instructions();
        push_is(features, space, 0, State::Redzone, &mut code);
        code.end();
        function.into_raw_body()
    }
}

/// Gives the oldest block of the quarantine back to the allocator.
struct ReleaseOldest {
    frees: Vec<(u32, Role)>,
}

impl Inserted for ReleaseOldest {
    fn ty(&self, _: &Features) -> Signature {
        Signature::New(vec![], vec![])
    }

    fn name(&self) -> String {
        "release the oldest block".to_owned()
    }

    fn reached(&self) -> Reached {
        helper(Helper::ReleaseOldest)
    }

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
    fn ty(&self, _: &Features) -> Signature {
        Signature::New(vec![], vec![])
    }

    fn name(&self) -> String {
        "release all blocks".to_owned()
    }

    fn reached(&self) -> Reached {
        helper(Helper::ReleaseAll)
    }

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
