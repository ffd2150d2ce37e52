//! Wrappers of allocator functions: same type, one event for each outermost call.

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

use super::boundary;
use super::contexts;
use super::features::Features;
use super::hooks::{Hook, NOT_GIVEN};
use super::index_space::{AddedGlobal, Helper, IndexSpace};
use super::inserted::{Inserted, Reached, Signature};
use super::offset_map::Origin;
use super::shadow;
use crate::allocator::{Effect, Param, Role};
use crate::module::Module;
use crate::prepared::Prepared;

/// Where `posix_memalign` stores its result: the address need not be aligned.
const WORD: MemArg = MemArg { offset: 0, align: 0, memory_index: 0 };

/// `ENOMEM` of WASI, musl for wasm and Emscripten.
const ENOMEM: i32 = 48;

/// What is asked for is not rounded up to larger alignments than this: such a block may have to do without a redzone.
const LARGEST_ALIGNMENT: u64 = 1 << 24;

/// The function that stands in for an allocator function. For `malloc`:
///
/// ```wat
/// (func (param $size i32) (result i32)
///   global.get $depth
///   if  ;; called by another allocator function: not an event of its own
///     (return (call $original $size))
///   end
///   global.get $context  local.set $context
///   i32.const 1  global.set $depth
///   (call $original $size)  local.set $result
///   i32.const 0  global.set $depth
///   (call $allocated $result $size 0 $context_low $context_high)
///   local.get $result)
/// ```
struct Wrapper<'m> {
    module: &'m Module<'m>,
    /// The allocator function.
    function: u32,
    role: Role,
    /// Whether an allocation is chosen to fail.
    can_fail: bool,
    /// The bytes behind each block that must not be accessed, where accesses are checked.
    redzone: Option<u32>,
    /// Whether blocks that it makes larger move, where accesses are checked.
    moves: bool,
}

/// The wrappers of a module's allocator functions.
pub(super) fn wrappers<'m>(
    prepared: &'m Prepared<'_>,
    can_fail: bool,
    redzone: Option<u32>,
) -> impl Iterator<Item = Box<dyn Inserted + 'm>> {
    let module = &prepared.module;
    let moves = shadow::moves(prepared);
    prepared.allocator().functions.iter().map(move |hooked| -> Box<dyn Inserted + 'm> {
        let (function, role) = (hooked.function, hooked.role);
        let moves = moves.iter().any(|of| of.function() == function);
        Box::new(Wrapper { module, function, role, can_fail, redzone, moves })
    })
}

impl Inserted for Wrapper<'_> {
    fn ty(&self, _: &Features) -> Signature {
        Signature::Of(self.function)
    }

    fn name(&self) -> String {
        let name = self.module.function_name(self.function).unwrap_or_default();
        format!("{}: {name}", self.role)
    }

    fn origin(&self) -> Origin {
        Origin::Wrapper(self.function)
    }

    fn reached(&self) -> Reached {
        Reached::Instead(self.function)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        let params = self.role.params().len() as u32;
        let writer = Writer {
            features,
            space,
            role: self.role,
            original: space.moved(self.function),
            depth: space.global(AddedGlobal::Depth),
            context: params,
            result: params + 1,
            function: self.function,
            redzone: self.redzone,
            moves: self.moves,
            asked_for: params + 2,
            arguments: params + 3,
            result_type: if self.role.stores_result() { ValType::I32 } else { features.address },
            hides_error: self.role.stores_result()
                && boundary::type_of(self.module, self.function).results().is_empty(),
            stored_before: params + if self.redzone.is_some() { 7 } else { 2 },
        };
        writer.write(self.can_fail)
    }
}

/// Writes the code of one wrapper.
struct Writer<'s> {
    features: &'s Features,
    space: &'s IndexSpace,
    role: Role,
    original: u32,
    /// Global that is 1 while an allocator function runs.
    depth: u32,
    /// Local with the context of the call.
    context: u32,
    /// Local with the result.
    result: u32,
    result_type: ValType,
    /// Whether the error that it should return is dropped, as the compiler does where no caller looks at it.
    hides_error: bool,
    /// If so, the local with what was stored for the result before.
    stored_before: u32,
    /// The allocator function.
    function: u32,
    /// The bytes behind each block that must not be accessed, where accesses are checked.
    redzone: Option<u32>,
    /// Whether blocks that it makes larger move, where accesses are checked.
    moves: bool,
    /// Local with the bytes that are asked for, where accesses are checked.
    asked_for: u32,
    /// The first of three locals with what the allocator function gets instead: the size, the count and the old size;
    /// a fourth one has the redzone that the block gets.
    arguments: u32,
}

impl Writer<'_> {
    fn write(&self, can_fail: bool) -> Vec<u8> {
        let returns = self.role.effect() != Effect::Frees;
        let mut locals = vec![(1, ValType::I64), (1, self.result_type)];
        locals.extend(self.redzone.map(|_| (5, self.features.address)));
        locals.extend(self.hides_error.then_some((1, self.features.address)));
        let mut body = Function::new(locals);
        let mut code = body.instructions();
        if self.redzone.is_some() {
            // What the bytes are may change now.
            shadow::drain(self.space, &mut code);
        }
        self.pass_nested_calls(&mut code);
        if self.redzone.is_some() && self.role.effect() == Effect::Reallocates {
            self.push(Param::Pointer, &mut code);
            shadow::look_at_block(self.space, &mut code);
        }
        code.global_get(self.space.global(AddedGlobal::Context)).local_set(self.context);
        self.report_before(&mut code);
        code.i32_const(1).global_set(self.depth);
        if let Some(redzone) = self.redzone.filter(|_| returns) {
            self.choose_arguments(redzone, &mut code);
        }
        if can_fail && returns {
            self.call_unless_chosen_to_fail(&mut code);
        } else {
            self.call_original(&mut code);
        }
        if returns {
            code.local_set(self.result);
        }
        if self.redzone.is_some() && returns {
            self.update_shadow(&mut code);
        }
        code.i32_const(0).global_set(self.depth);
        if self.redzone.is_some() {
            // What the allocator did in code that it shares with the program is right.
            code.i32_const(0).global_set(self.space.global(AddedGlobal::Logged));
        }
        self.report_after(&mut code);
        if returns && !self.hides_error {
            code.local_get(self.result);
        }
        code.end();
        body.into_raw_body()
    }

    fn pass_nested_calls(&self, code: &mut InstructionSink<'_>) {
        code.global_get(self.depth).if_(BlockType::Empty);
        self.push_params(code);
        self.features.call_last(self.original, code);
        code.return_().end();
    }

    /// Calls the allocator function, with room for a redzone, until it has room. Where accesses are checked, a freed block
    /// goes into the quarantine instead, and a block that gets larger moves.
    fn call_original(&self, code: &mut InstructionSink<'_>) {
        if self.redzone.is_none() {
            self.push_params(code);
            self.call_function(code);
            return;
        }
        if self.role.effect() == Effect::Frees {
            self.push_params(code);
            code.call(self.space.helper(Helper::Retire(self.function)));
            return;
        }
        if self.moves {
            self.push_params(code);
            code.local_get(self.redzone_local());
            code.call(self.space.helper(Helper::Move(self.function))).local_tee(self.result);
            self.features.eqz(code);
            code.if_(BlockType::Empty);
        }
        self.push_arguments(code);
        self.call_function(code);
        code.local_tee(self.result);
        self.push_whether_it_failed(code);
        code.if_(BlockType::Empty);
        if self.role == Role::AlignedAlloc {
            self.round_up(code);
            self.push_arguments(code);
            self.call_function(code);
            code.local_tee(self.result);
            self.push_whether_it_failed(code);
            code.if_(BlockType::Empty);
        }
        code.call(self.space.helper(Helper::ReleaseAll));
        self.push_arguments(code);
        self.call_function(code);
        code.local_tee(self.result);
        self.push_whether_it_failed(code);
        code.if_(BlockType::Empty);
        self.without_redzone(code);
        self.push_arguments(code);
        self.call_function(code);
        code.local_set(self.result).end().end();
        if self.role == Role::AlignedAlloc {
            code.end();
        }
        if self.moves {
            code.end();
        }
        code.local_get(self.result);
    }

    /// Calls the allocator function with the arguments that are on the operand stack. Where it says nothing of an error, there
    /// was one if it has stored no address; the word then is what it was before.
    fn call_function(&self, code: &mut InstructionSink<'_>) {
        if !self.hides_error {
            code.call(self.original);
            return;
        }
        self.push_whether_result_address_is_in_memory(code);
        code.if_(BlockType::Empty);
        self.push_stored(code);
        code.local_set(self.stored_before);
        self.push(Param::ResultAddress, code);
        self.features.push_address(0, code);
        self.store(code);
        code.end().call(self.original);
        self.push_whether_result_address_is_in_memory(code);
        code.if_(BlockType::Result(ValType::I32));
        self.push_stored(code);
        self.features.eqz(code);
        code.if_(BlockType::Result(ValType::I32));
        self.push(Param::ResultAddress, code);
        code.local_get(self.stored_before);
        self.store(code);
        code.i32_const(ENOMEM).else_().i32_const(0).end();
        code.else_().i32_const(ENOMEM).end();
    }

    fn redzone_local(&self) -> u32 {
        self.arguments + 3
    }

    /// Pushes whether the value on the stack says that there is no block. `realloc(p, 0)` may return none, and be right. What
    /// allocates is asked for more than 0 bytes in any case.
    fn push_whether_it_failed(&self, code: &mut InstructionSink<'_>) {
        if self.role.stores_result() {
            code.i32_const(0).i32_ne();
        } else {
            self.features.eqz(code);
        }
        if self.role.effect() == Effect::Allocates {
            return;
        }
        code.local_get(self.asked_for);
        self.features.nez(code);
        code.i32_and();
    }

    /// What is asked for, and what to ask the allocator function for: as much and a redzone, if that is a size.
    fn choose_arguments(&self, redzone: u32, code: &mut InstructionSink<'_>) {
        let is_64 = self.features.is_64();
        let reallocates = self.role.effect() == Effect::Reallocates;
        self.push_size(code);
        code.local_set(self.asked_for);
        self.without_redzone(code);
        if let Some(old_size) = self.position(Param::OldSize) {
            code.local_get(old_size);
            self.push(Param::Pointer, code);
            code.local_get(old_size);
            shadow::push_redzone_of(self.features, self.space, redzone, code);
            self.features.add(code);
            code.local_set(self.arguments + 2);
        }
        // Larger sizes than half the memory are refused anyway, by most allocators.
        code.local_get(self.asked_for);
        match is_64 {
            true => code.i64_const(i64::MAX - i64::from(redzone)).i64_lt_u(),
            false => code.i32_const(i32::MAX - redzone as i32).i32_lt_u(),
        };
        if reallocates {
            // `realloc(p, 0)` frees.
            code.local_get(self.asked_for);
            self.features.nez(code);
            code.i32_and();
        }
        code.if_(BlockType::Empty);
        self.features.push_address(redzone.into(), code);
        code.local_tee(self.redzone_local()).local_get(self.asked_for);
        self.features.add(code);
        code.local_set(self.arguments);
        self.features.push_address(1, code);
        code.local_set(self.arguments + 1).end();
    }

    /// Rounds what to ask for up to a multiple of the alignment: C wants that for `aligned_alloc`, and some allocators refuse others.
    /// It is not done at once, because Rust's allocator checks that a block is not much larger than what is freed.
    fn round_up(&self, code: &mut InstructionSink<'_>) {
        let less_one = |code: &mut InstructionSink<'_>| {
            self.features.push_address(1, code);
            self.features.sub(code);
        };
        // Sizes so large that they have no redzone could become small.
        code.local_get(self.redzone_local());
        self.features.nez(code);
        self.push(Param::Align, code);
        less_one(code);
        self.features.extend(code);
        code.i64_const(LARGEST_ALIGNMENT as i64).i64_lt_u().i32_and();
        code.if_(BlockType::Empty);
        code.local_get(self.arguments);
        self.push(Param::Align, code);
        self.features.add(code);
        less_one(code);
        self.push(Param::Align, code);
        match self.features.is_64() {
            true => code.i64_div_u(),
            false => code.i32_div_u(),
        };
        self.push(Param::Align, code);
        self.features.mul(code);
        code.local_set(self.arguments).end();
    }

    /// The size and the count are what the caller says.
    fn without_redzone(&self, code: &mut InstructionSink<'_>) {
        self.push(Param::Size, code);
        code.local_set(self.arguments);
        if let Some(count) = self.position(Param::Count) {
            code.local_get(count).local_set(self.arguments + 1);
        }
        self.features.push_address(0, code);
        code.local_set(self.redzone_local());
    }

    fn push_arguments(&self, code: &mut InstructionSink<'_>) {
        for (local, param) in (0..).zip(self.role.params()) {
            code.local_get(match param {
                Param::Size => self.arguments,
                Param::Count => self.arguments + 1,
                Param::OldSize => self.arguments + 2,
                _ => local,
            });
        }
    }

    /// The old block is the program's no longer, and the new one is.
    fn update_shadow(&self, code: &mut InstructionSink<'_>) {
        let new = self.arguments;
        self.push_new_block(code);
        code.local_set(new);
        if self.role.effect() == Effect::Reallocates {
            // Where it failed, the old block stays; `realloc(p, 0)` does not fail.
            code.local_get(new);
            self.features.nez(code);
            code.local_get(self.asked_for);
            self.features.eqz(code);
            code.i32_or().if_(BlockType::Empty);
            self.push(Param::Pointer, code);
            code.call(self.space.helper(Helper::Forget)).drop().end();
        }
        code.local_get(new);
        self.features.nez(code);
        code.if_(BlockType::Empty);
        code.local_get(new).local_get(self.asked_for).local_get(self.redzone_local());
        code.call(self.space.helper(Helper::Give)).end();
    }

    fn position(&self, param: Param) -> Option<u32> {
        self.role.params().iter().position(|p| *p == param).map(|position| position as u32)
    }

    fn push_params(&self, code: &mut InstructionSink<'_>) {
        for param in 0..self.role.params().len() as u32 {
            code.local_get(param);
        }
    }

    fn call_unless_chosen_to_fail(&self, code: &mut InstructionSink<'_>) {
        let counter = self.space.global(AddedGlobal::UntilFailure);
        code.global_get(counter).i64_const(1).i64_sub().global_set(counter);
        code.global_get(counter).i64_eqz().if_(BlockType::Result(self.result_type));
        if self.role.stores_result() {
            code.i32_const(ENOMEM);
        } else {
            self.features.push_address(0, code);
        }
        code.else_();
        self.call_original(code);
        code.end();
    }

    /// Frees and reallocations are reported first, so that the event is there even when the
    /// allocator trips over a bad pointer.
    fn report_before(&self, code: &mut InstructionSink<'_>) {
        match self.role.effect() {
            Effect::Allocates => return,
            Effect::Frees => {
                self.push(Param::Pointer, code);
                self.push_or(Param::OldSize, NOT_GIVEN, code);
                self.push_or(Param::Align, 0, code);
            }
            Effect::Reallocates => {
                self.push(Param::Pointer, code);
                self.push_or(Param::OldSize, NOT_GIVEN, code);
                self.push_or(Param::Align, 0, code);
                self.push_size(code);
            }
        }
        contexts::push_context(self.context, code);
        let hook = match self.role.effect() {
            Effect::Frees => Hook::Freed,
            _ => Hook::Reallocating,
        };
        self.space.call_hook(hook, code);
    }

    fn report_after(&self, code: &mut InstructionSink<'_>) {
        match self.role.effect() {
            Effect::Frees => {}
            Effect::Reallocates => {
                code.local_get(self.result);
                self.space.call_hook(Hook::Reallocated, code);
            }
            Effect::Allocates => {
                self.push_new_block(code);
                self.push_size(code);
                self.push_or(Param::Align, 0, code);
                contexts::push_context(self.context, code);
                self.space.call_hook(Hook::Allocated, code);
            }
        }
    }

    /// The new block's address, 0 if there is none.
    fn push_new_block(&self, code: &mut InstructionSink<'_>) {
        if !self.role.stores_result() {
            code.local_get(self.result);
            return;
        }
        // Without an error, the address was stored where the first argument says. That argument is
        // checked: the function may not be what its name says.
        code.local_get(self.result).i32_eqz();
        self.push_whether_result_address_is_in_memory(code);
        code.i32_and().if_(BlockType::Result(self.features.address));
        self.push_stored(code);
        code.else_();
        self.features.push_address(0, code);
        code.end();
    }

    /// Pushes what is stored where the result belongs.
    fn push_stored(&self, code: &mut InstructionSink<'_>) {
        self.push(Param::ResultAddress, code);
        match self.features.is_64() {
            true => code.i64_load(WORD),
            false => code.i32_load(WORD),
        };
    }

    /// Stores what is on the operand stack, above the address.
    fn store(&self, code: &mut InstructionSink<'_>) {
        match self.features.is_64() {
            true => code.i64_store(WORD),
            false => code.i32_store(WORD),
        };
    }

    fn push_whether_result_address_is_in_memory(&self, code: &mut InstructionSink<'_>) {
        let word_bytes = if self.features.is_64() { 8 } else { 4 };
        let extended = |code: &mut InstructionSink<'_>| {
            if !self.features.is_64() {
                code.i64_extend_i32_u();
            }
        };
        let memory_bytes = |code: &mut InstructionSink<'_>| {
            code.memory_size(0);
            extended(code);
            code.i64_const(self.features.page_bytes as i64).i64_mul();
        };
        memory_bytes(code);
        code.i64_const(word_bytes).i64_ge_u();
        self.push(Param::ResultAddress, code);
        extended(code);
        memory_bytes(code);
        code.i64_const(word_bytes).i64_sub().i64_le_u().i32_and();
    }

    /// The bytes asked for: `size`, or `count * size`, which saturates because an allocator must
    /// refuse a product that does not fit.
    fn push_size(&self, code: &mut InstructionSink<'_>) {
        let counted = self.role.params().contains(&Param::Count);
        self.push(Param::Size, code);
        if !counted {
            return;
        }
        if self.features.is_64() {
            self.push(Param::Count, code);
            code.i64_mul();
            return;
        }
        let product = |code: &mut InstructionSink<'_>| {
            self.push(Param::Size, code);
            code.i64_extend_i32_u();
            self.push(Param::Count, code);
            code.i64_extend_i32_u().i64_mul();
        };
        self.push(Param::Count, code);
        code.i32_mul().i32_const(-1);
        product(code);
        code.i64_const(32).i64_shr_u().i64_eqz().select();
    }

    fn push(&self, param: Param, code: &mut InstructionSink<'_>) {
        match self.role.params().iter().position(|p| *p == param) {
            Some(local) => code.local_get(local as u32),
            None => unreachable!("{} has no {param:?}", self.role),
        };
    }

    fn push_or(&self, param: Param, otherwise: u64, code: &mut InstructionSink<'_>) {
        if self.role.params().contains(&param) {
            self.push(param, code);
        } else {
            self.features.push_address(otherwise, code);
        }
    }
}
