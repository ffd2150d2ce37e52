//! Blocks as the shadow has them: where they begin and end is read from it.

use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::{Scan, State, at, canaries, push_is, to_shadow};
use crate::allocator::{AllocatorFunction, Role};
use crate::instrument::checks::Headers;
use crate::instrument::features::Features;
use crate::instrument::index_space::{AddedMemory, Helper, IndexSpace};
use crate::instrument::inserted::{Inserted, Reached, Signature};
use crate::instrument::offset_map::Origin;
use crate::module::memory_map::MemoryMap;
use crate::module::{Access, Module};
use crate::prepared::Prepared;

/// The functions that give blocks to the program, take them back, and measure them.
pub(super) fn functions<'m>(prepared: &'m Prepared<'_>) -> Vec<Box<dyn Inserted + 'm>> {
    let module = &prepared.module;
    let data = module.first_data_address().filter(|data| *data == prepared.null_bytes());
    let mut functions: Vec<Box<dyn Inserted + 'm>> = vec![
        Box::new(Give::of(prepared)),
        Box::new(Measure { data }),
        Box::new(Forget),
        Box::new(IsRedzone),
    ];
    functions.extend(
        usable_sizes(prepared).map(|function| -> Box<dyn Inserted + 'm> {
            Box::new(UsableSize { module, function })
        }),
    );
    functions
}

/// The functions that say how much of a block can be used, by their names or their code.
fn usable_sizes(prepared: &Prepared<'_>) -> impl Iterator<Item = u32> {
    let module = &prepared.module;
    let hooked = prepared.allocator().hooked();
    let headers = Headers::of(module);
    let defined = module.imported_functions()..module.functions.len() as u32;
    defined.filter(move |function| {
        let name = prepared.function_name(*function);
        let is_named = USABLE_SIZE.contains(&name.trim_start_matches('_'));
        let is_meant = is_named || reads_size_alone(module, *function, &headers);
        is_meant && !hooked.contains(function) && is_of_address(module, *function)
    })
}

/// Whether all that a function does is to take a block's size out of the word in front of it.
fn reads_size_alone(module: &Module<'_>, function: u32, headers: &Headers) -> bool {
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
        && (0..operators.len()).any(|nth| headers.mask_at(&operators, nth).is_some())
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
        to_shadow(features, code);
        code.i32_const(State::Unallocated as i32);
        features.push_address(HEADER_BYTES, code);
        code.memory_fill(space.memory(AddedMemory::Shadow)).end();
    }
}

impl Inserted for Give {
    is!("give a block", Reached::ByCode(Helper::Give), |address| [address, address, address] -> []);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const POINTER: u32 = 0;
        const SIZE: u32 = 1;
        const REDZONE: u32 = 2;
        const END: u32 = 3;
        let shadow = space.memory(AddedMemory::Shadow);
        let mut function = Function::new([(1, features.address)]);
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
        code.local_get(POINTER);
        to_shadow(features, &mut code);
        code.i32_const(0).local_get(SIZE).memory_fill(shadow);
        code.local_get(POINTER).local_get(SIZE);
        features.add(&mut code);
        code.local_tee(END);
        to_shadow(features, &mut code);
        code.i32_const(State::Redzone as i32).local_get(REDZONE).memory_fill(shadow);
        canaries::write(features, [END, REDZONE], &mut code);
        // Where an earlier block had its redzone, this one has none: what is there now is the allocator's.
        code.local_get(REDZONE);
        features.eqz(&mut code);
        code.local_get(END).call(space.helper(Helper::IsRedzone)).i32_and();
        code.if_(BlockType::Empty).local_get(END).i32_const(State::Unallocated as i32);
        code.i32_store8(at(space, AddedMemory::Shadow, 0)).end();
        code.end();
        function.into_raw_body()
    }
}

/// Says how large a block is: `(pointer) -> size`. 0 where no block of at least one byte starts there.
struct Measure {
    /// Where static data begins, if that is where NULL ends: what is in front of it belongs to no block either.
    data: Option<u64>,
}

impl Inserted for Measure {
    is!("measure a block", Reached::ByCode(Helper::Measure), |address| [address] -> [address]);

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
        // NULL, past the end, or data.
        code.i64_eqz().local_get(NOW).local_get(END).i64_ge_u().i32_or();
        if let Some(data) = self.data {
            code.local_get(NOW).i64_const(data as i64).i64_eq().i32_or();
        }
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
    is!("take a block", Reached::ByCode(Helper::Forget), |address| [address] -> [address]);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const POINTER: u32 = 0;
        const SIZE: u32 = 1;
        let mut function = Function::new([(1, features.address)]);
        let mut code = function.instructions();
        code.local_get(POINTER).call(space.helper(Helper::Measure)).local_tee(SIZE);
        features.nez(&mut code);
        code.if_(BlockType::Empty);
        code.local_get(POINTER);
        to_shadow(features, &mut code);
        code.i32_const(State::Freed as i32).local_get(SIZE);
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

/// Takes a pointer and a size from the stack, and pushes how many bytes of a redzone follow that block: all or none.
pub(in crate::instrument) fn push_redzone_of(
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
    is!("look for a redzone", Reached::ByCode(Helper::IsRedzone), |address| [address] -> [ValType::I32]);

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        let mut function = Function::new([]);
        let mut code = function.instructions();
        push_is(features, space, 0, State::Redzone, &mut code);
        push_is(features, space, 0, State::Overwritten, &mut code);
        code.i32_or().end();
        function.into_raw_body()
    }
}
