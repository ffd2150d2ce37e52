//! Entries: the functions that the host calls instead of the module's own.

use std::collections::BTreeSet;

use wasm_encoder::{BlockType, Function, InstructionSink, ValType};
use wasmparser::{FuncType, Operator};

use super::boundary::{self, Values, addresses};
use super::contexts;
use super::features::Features;
use super::hooks::{self, Hook};
use super::index_space::{AddedGlobal, Helper, IndexSpace};
use super::inserted::{Inserted, Reached, Signature};
use super::nested;
use super::offset_map::Origin;
use super::shadow::{self, LowInCall};
use crate::module::Module;
use crate::prepared::Prepared;

/// The function that stands in for one that the host calls, as an export or from a table. The host enters
/// here, so what a trap left behind is reset where that matters. For `(func (param i32) (result i32))`:
///
/// ```wat
/// (func (param i32) (result i32) (local $level i32) (local $answer i32) (local i32)
///   (call $entered $function (global.get $level) (global.get $running) (global.get $stack_pointer)
///     (local.get 0) 0 0 0)
///   local.tee $answer  (i32.shr_s (local.get $answer) 31)  i32.xor
///   local.tee $level  global.set $level
///   local.get $level  global.set $deepest
///   (i32.add (local.get $level) 1)  global.set $running
///   (call $original (local.get 0))  local.set 3
///   local.get $level  global.set $running
///   (i32.ge_s (local.get $answer) 0)
///   if  ;; the host wants to know
///     (call $returned $function (local.get 3))
///   end
///   local.get 3)
/// ```
///
/// Where entries may go untold, [`nested`] has what is called and set in place of `$entered` and `$deepest`.
///
/// A function that only moves the stack pointer is called and nothing else: that comes very often, and says nothing.
struct Entry<'m> {
    module: &'m Module<'m>,
    /// The function that the host calls.
    function: u32,
    /// Whether it can reach an allocator function or `memory.grow`.
    observed: bool,
    /// The global that is the stack pointer, if one is that can be an address.
    stack_pointer: Option<u32>,
    /// Where accesses are checked, whether all blocks of the heap are known.
    checks: Option<bool>,
    /// Where entries may go untold, whether this one may.
    may_be_untold: Option<bool>,
    /// Where accesses near NULL are checked, and all pointers come from the host: how many bytes are near NULL.
    low_bytes: Option<u64>,
}

/// The entries of a module, given which functions can reach an allocator function or `memory.grow`. An
/// imported function that is exported again stays the same to the host.
pub(super) fn of<'m>(
    prepared: &'m Prepared<'_>,
    observed: &[bool],
    checks: Option<bool>,
    untold: Option<BTreeSet<u32>>,
) -> impl Iterator<Item = Box<dyn Inserted + 'm>> {
    let module = &prepared.module;
    // The same for all, and looked for by its name.
    let stack_pointer = stack_pointer(module);
    let low_bytes = checks.and_then(|_| shadow::low_bytes_of_host(prepared));
    let functions = hooks::functions_to_enter(module).into_iter();
    functions.map(move |function| -> Box<dyn Inserted + 'm> {
        let observed = observed[function as usize];
        let may_be_untold = untold.as_ref().map(|untold| untold.contains(&function));
        Box::new(Entry {
            module,
            function,
            observed,
            stack_pointer,
            checks,
            may_be_untold,
            low_bytes,
        })
    })
}

impl Inserted for Entry<'_> {
    fn ty(&self, _: &Features) -> Signature {
        Signature::Of(self.function)
    }

    fn name(&self) -> String {
        format!("entry: {}", self.module.function_name(self.function).unwrap_or_default())
    }

    fn origin(&self) -> Origin {
        Origin::Entry(self.function)
    }

    fn reached(&self) -> Reached {
        Reached::ByHost(self.function)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        let ty = boundary::type_of(self.module, self.function);
        if self.only_moves_stack() {
            return self.plain_call(space, ty);
        }
        let level = ty.params().len() as u32;
        let answer = level + 1;
        let first_result = answer + 1;
        let results = addresses(features, ty.results(), first_result);
        let kept = if results.len() > 0 { numbers(ty.results()) } else { None };
        let locals = [(2, ValType::I32)].into_iter();
        let locals = locals.chain(kept.iter().flatten().map(|result| (1, *result)));
        let before = first_result + kept.iter().flatten().count() as u32;
        let low = self.low_bytes.map(|bytes| LowInCall { bytes, before, now: before + 1 });
        let locals = locals.chain(low.iter().map(|_| (2, ValType::I32)));
        let mut body = Function::new(locals.collect::<Vec<_>>());
        let mut code = body.instructions();
        if self.checks.is_some() {
            shadow::drain(space, &mut code);
            shadow::resize(space, &mut code);
        }
        self.report_entry(features, space, ty, level, &mut code);
        let knows_blocks = self.checks == Some(true);
        if knows_blocks {
            shadow::lend(space, addresses(features, ty.params(), 0), &mut code);
            shadow::look_at_lent(space, &mut code);
        }
        if self.observed {
            contexts::reset(space, self.function, &mut code);
        }
        if let Some(low) = &low {
            low.begin(features, space, whole_addresses(features, ty), level, &mut code);
        }
        boundary::push_params(ty, &mut code);
        code.call(space.target(self.function));
        if let Some(low) = &low {
            low.end(features, space, &mut code);
        }
        // Results that are not kept stay on the stack meanwhile.
        code.local_get(level).global_set(space.global(AddedGlobal::Running));
        if let Some(kept) = kept {
            let locals = first_result..first_result + kept.len() as u32;
            for local in locals.clone().rev() {
                code.local_set(local);
            }
            if knows_blocks {
                shadow::lend(space, results.clone(), &mut code);
            }
            if_wanted(answer, &mut code);
            self.report_results(space, results, &mut code);
            code.end();
            for local in locals {
                code.local_get(local);
            }
        }
        code.end();
        body.into_raw_body()
    }
}

impl Entry<'_> {
    /// Whether the function does no more than to return the stack pointer or to set it, as those do that
    /// JavaScript calls around each call that may throw.
    fn only_moves_stack(&self) -> bool {
        let Some(pointer) = self.stack_pointer else { return false };
        let body = self.module.functions[self.function as usize].body.as_ref();
        let operators = body.into_iter().flat_map(|body| body.operators(self.module.bytes));
        match operators.take(4).collect::<Vec<_>>()[..] {
            [Operator::GlobalGet { global_index }, Operator::End]
            | [
                Operator::LocalGet { local_index: 0 },
                Operator::GlobalSet { global_index },
                Operator::End,
            ] => global_index == pointer,
            _ => false,
        }
    }

    fn plain_call(&self, space: &IndexSpace, ty: &FuncType) -> Vec<u8> {
        let mut body = Function::new([]);
        let mut code = body.instructions();
        boundary::push_params(ty, &mut code);
        code.call(space.target(self.function)).end();
        body.into_raw_body()
    }

    /// Tells the host what it enters, and takes over what it knows of the entry's level.
    fn report_entry(
        &self,
        features: &Features,
        space: &IndexSpace,
        ty: &FuncType,
        level: u32,
        code: &mut InstructionSink<'_>,
    ) {
        let mut arguments = addresses(features, ty.params(), 0);
        code.i32_const(self.function as i32);
        code.global_get(space.global(AddedGlobal::Level));
        code.global_get(space.global(AddedGlobal::Running));
        match self.stack_pointer {
            Some(global) => {
                code.global_get(global);
            }
            None => features.push_address(0, code),
        }
        boundary::push_up_to_four(features, &mut arguments, code);
        let may_be_untold = self.may_be_untold == Some(true);
        if may_be_untold {
            code.call(space.helper(Helper::Enter));
        } else {
            space.call_hook(Hook::Entered, code);
        }
        let answer = level + 1;
        code.local_tee(answer).local_get(answer).i32_const(31).i32_shr_s().i32_xor();
        code.local_tee(level).global_set(space.global(AddedGlobal::Level));
        if !may_be_untold {
            code.local_get(level).global_set(space.global(AddedGlobal::Deepest));
        }
        if self.may_be_untold == Some(false) {
            nested::is_told(space, code);
        }
        code.local_get(level).i32_const(1).i32_add();
        code.global_set(space.global(AddedGlobal::Running));
        if arguments.len() > 0 {
            if_wanted(answer, code);
            boundary::report(features, space, Hook::Passed, arguments, code);
            code.end();
        }
    }

    fn report_results(&self, space: &IndexSpace, results: Values, code: &mut InstructionSink<'_>) {
        for result in results {
            code.i32_const(self.function as i32);
            result.push(code);
            space.call_hook(Hook::Returned, code);
        }
    }
}

/// The parameters that are addresses, or could be. Half of a larger number that is 0 says nothing.
fn whole_addresses(features: &Features, ty: &FuncType) -> impl Iterator<Item = u32> {
    let params = ty.params().iter().zip(0..);
    params
        .filter(|(param, _)| boundary::number_type(**param) == Some(features.address))
        .map(|(_, local)| local)
}

/// Begins what is only done where the host wants to know what an entry passes and returns.
fn if_wanted(answer: u32, code: &mut InstructionSink<'_>) {
    code.local_get(answer).i32_const(0).i32_ge_s().if_(BlockType::Empty);
}

/// The global that is the stack pointer, if it is as wide as an address.
fn stack_pointer(module: &Module<'_>) -> Option<u32> {
    let index = module.stack_pointer()?;
    let ty = boundary::number_type(module.globals.get(index as usize)?.ty)?;
    (ty == Features::of(module).address).then_some(index)
}

/// The types of results that locals can hold; `None` if one is a reference, which may have no value to
/// start with.
fn numbers(results: &[wasmparser::ValType]) -> Option<Vec<ValType>> {
    results.iter().map(|result| boundary::number_type(*result)).collect()
}
