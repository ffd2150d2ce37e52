//! Entries: the functions that the host calls instead of the exported ones.

use std::collections::BTreeSet;

use wasm_encoder::{Function, InstructionSink, ValType};
use wasmparser::FuncType;

use super::boundary::{self, Values, addresses};
use super::contexts;
use super::features::Features;
use super::hooks::Hook;
use super::index_space::IndexSpace;
use super::inserted::{Inserted, Reached, Signature};
use super::offset_map::Origin;
use crate::module::Module;
use crate::prepared::Prepared;

/// The function that stands in for an exported one. The host enters here, so what a trap left behind
/// is reset where that matters. For `(func (param i32) (result i32))`:
///
/// ```wat
/// (func (param i32) (result i32) (local i32)
///   (call $entered $function (local.get 0) 0 0 0)
///   (call $original (local.get 0))  local.set 1
///   (call $returned $function (local.get 1))
///   local.get 1)
/// ```
struct Entry<'m> {
    module: &'m Module<'m>,
    /// The exported function.
    function: u32,
    /// Whether it can reach an allocator function or `memory.grow`.
    observed: bool,
}

/// The entries of a module, given which functions can reach an allocator function or `memory.grow`. An
/// imported function that is exported again stays the same to the host.
pub(super) fn of<'m>(
    prepared: &'m Prepared<'_>,
    observed: &[bool],
) -> impl Iterator<Item = Box<dyn Inserted + 'm>> {
    let module = &prepared.module;
    let exported: BTreeSet<u32> = module.exported_functions().map(|(_, f)| f).collect();
    let defined = exported.into_iter().filter(|&f| f >= module.imported_functions());
    defined.map(|function| -> Box<dyn Inserted + 'm> {
        Box::new(Entry { module, function, observed: observed[function as usize] })
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
        Origin::Added
    }

    fn reached(&self) -> Reached {
        Reached::AtExports(self.function)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        let ty = boundary::type_of(self.module, self.function);
        let target = space.target(self.function);
        let first_result = ty.params().len() as u32;
        let results = addresses(features, ty.results(), first_result);
        let kept = if results.len() > 0 { numbers(ty.results()) } else { None };
        let locals = kept.iter().flatten().map(|result| (1, *result));
        let mut body = Function::new(locals.collect::<Vec<_>>());
        let mut code = body.instructions();
        if self.observed {
            contexts::reset(space, self.function, &mut code);
        }
        self.report_arguments(features, space, ty, &mut code);
        boundary::push_params(ty, &mut code);
        match kept {
            None => features.call_last(target, &mut code),
            Some(kept) => {
                code.call(target);
                let locals = first_result..first_result + kept.len() as u32;
                for local in locals.clone().rev() {
                    code.local_set(local);
                }
                self.report_results(space, results, &mut code);
                for local in locals {
                    code.local_get(local);
                }
            }
        }
        code.end();
        body.into_raw_body()
    }
}

impl Entry<'_> {
    fn report_arguments(
        &self,
        features: &Features,
        space: &IndexSpace,
        ty: &FuncType,
        code: &mut InstructionSink<'_>,
    ) {
        let mut arguments = addresses(features, ty.params(), 0);
        code.i32_const(self.function as i32);
        boundary::push_up_to_four(features, &mut arguments, code);
        code.call(space.hook(Hook::Entered));
        boundary::report(features, space, Hook::Passed, arguments, code);
    }

    fn report_results(&self, space: &IndexSpace, results: Values, code: &mut InstructionSink<'_>) {
        for result in results {
            code.i32_const(self.function as i32);
            result.push(code);
            code.call(space.hook(Hook::Returned));
        }
    }
}

/// The types of results that locals can hold; `None` if one is a reference, which may have no value to
/// start with.
fn numbers(results: &[wasmparser::ValType]) -> Option<Vec<ValType>> {
    results.iter().map(|result| boundary::number_type(*result)).collect()
}
