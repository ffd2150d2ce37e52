//! Entries inside others of which the host need not know.
//!
//! With exceptions, Emscripten's code calls each function that may throw through JavaScript, millions of times a second, and
//! little of that allocates. So the module counts such entries by itself, and the host asks for the one under way at an event.

use std::collections::BTreeSet;

use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::features::Features;
use super::hooks::{self, Hook};
use super::index_space::{AddedGlobal, Helper, IndexSpace};
use super::inserted::{Inserted, Reached, Signature};
use crate::prepared::Prepared;

/// First entries of calls of imports that are told after the host has confirmed a level.
const FEW: i32 = 16;

/// The globals that it needs.
pub(super) const GLOBALS: [(AddedGlobal, i64); 4] = [
    (AddedGlobal::Untold, 0),
    (AddedGlobal::Confirmed, 0),
    (AddedGlobal::Since, 0),
    (AddedGlobal::Firsts, 0),
];

/// The functions that it needs.
pub(super) fn functions() -> [Box<dyn Inserted>; 4] {
    [Box::new(Enter), Box::new(UNTOLD), Box::new(SEE), Box::new(CONFIRM)]
}

/// The functions whose entries may go untold: the host knows them only from a table, and what they are passed and return is of
/// no interest inside another entry. None where the module calls no import that could enter it.
pub(super) fn functions_untold(prepared: &Prepared<'_>) -> BTreeSet<u32> {
    let module = &prepared.module;
    if module.imported_functions() == 0 {
        return BTreeSet::new();
    }
    let exported: BTreeSet<u32> = module.exported_functions().map(|(_, f)| f).collect();
    let hooked = prepared.allocator().hooked();
    let mut functions = hooks::functions_to_enter(module);
    functions.retain(|function| !exported.contains(function) && !hooked.contains(function));
    functions
}

/// Says that the host knows of the entry under way.
pub(super) fn is_told(space: &IndexSpace, code: &mut InstructionSink<'_>) {
    code.i32_const(0).global_set(space.global(AddedGlobal::Untold));
}

/// What a stub keeps while the module waits for the host.
const KEPT: [AddedGlobal; 2] = [AddedGlobal::Untold, AddedGlobal::Since];

/// Locals of a stub that hold it.
pub(super) const LOCALS: u32 = KEPT.len() as u32;

/// Keeps it in these locals, and begins to count the entries.
pub(super) fn keep(space: &IndexSpace, first: u32, code: &mut InstructionSink<'_>) {
    for (global, local) in KEPT.into_iter().zip(first..) {
        code.global_get(space.global(global)).local_set(local);
    }
    code.i32_const(0).global_set(space.global(AddedGlobal::Since));
}

/// Puts it back.
pub(super) fn restore(space: &IndexSpace, first: u32, code: &mut InstructionSink<'_>) {
    for (global, local) in KEPT.into_iter().zip(first..) {
        code.local_get(local).global_set(space.global(global));
    }
}

/// Enters a function that may go untold: as [`Hook::Entered`], without the instance.
///
/// Untold is what enters where another entry waits for an import, at a level that the host has confirmed. An exception that
/// left the module makes the level wrong. So the host has to look at the stack now and then: at the first entries of an
/// import's call, after each level that it confirms, and then whenever their number, or that of the entries of one call of
/// an import, is a power of two.
///
/// ```wat
/// (func (param $function i32) (param $level i32) (param $running i32) ... (result $answer i32) (local $nth i32)
///   (i32.eq (local.get $level) (local.get $running))
///   (i32.lt_u (i32.sub (local.get $level) (i32.const 1)) (global.get $confirmed))
///   i32.and
///   if
///     $nth = ++$since
///     (i32.eq (local.get $nth) (i32.const 1))
///     if
///       $nth = ++$firsts < FEW ? 1 : $firsts
///     end
///     (i32.and (local.get $nth) (i32.sub (local.get $nth) (i32.const 1)))
///     if
///       (global.set $untold (i32.add (local.get $function) (i32.const 1)))
///       (return (i32.xor (local.get $level) (i32.const -1)))
///     end
///     $running ^= -1
///   end
///   (global.set $untold (i32.const 0))
///   (call $entered ...)  local.tee $nth
///   (global.set $deepest (i32.xor (local.get $nth) (i32.shr_s (local.get $nth) (i32.const 31)))))
/// ```
struct Enter;

impl Inserted for Enter {
    fn ty(&self, features: &Features) -> Signature {
        let (mut params, results) = Hook::Entered.ty(features);
        params.pop();
        Signature::New(params, results)
    }

    fn name(&self) -> String {
        "enter".to_owned()
    }

    fn reached(&self) -> Reached {
        Reached::ByCode(Helper::Enter)
    }

    fn body(&self, features: &Features, space: &IndexSpace) -> Vec<u8> {
        const FUNCTION: u32 = 0;
        const LEVEL: u32 = 1;
        const RUNNING: u32 = 2;
        let params = Hook::Entered.ty(features).0.len() as u32 - 1;
        let nth = params;
        let [untold, confirmed, since, firsts] = GLOBALS.map(|(global, _)| space.global(global));
        let mut function = Function::new([(1, ValType::I32)]);
        let mut code = function.instructions();
        code.local_get(LEVEL).local_get(RUNNING).i32_eq();
        code.local_get(LEVEL).i32_const(1).i32_sub().global_get(confirmed).i32_lt_u();
        code.i32_and().if_(BlockType::Empty);
        count(since, nth, &mut code);
        code.local_get(nth).i32_const(1).i32_eq().if_(BlockType::Empty);
        count(firsts, nth, &mut code);
        code.i32_const(1).local_get(nth).local_get(nth).i32_const(FEW).i32_lt_u();
        code.select().local_set(nth).end();
        code.local_get(nth).local_get(nth).i32_const(1).i32_sub().i32_and();
        code.if_(BlockType::Empty);
        code.local_get(FUNCTION).i32_const(1).i32_add().global_set(untold);
        code.local_get(LEVEL).i32_const(-1).i32_xor().return_().end();
        code.local_get(RUNNING).i32_const(-1).i32_xor().local_set(RUNNING).end();
        is_told(space, &mut code);
        for param in 0..params {
            code.local_get(param);
        }
        space.call_hook(Hook::Entered, &mut code);
        code.local_tee(nth).local_get(nth).i32_const(31).i32_shr_s().i32_xor();
        code.global_set(space.global(AddedGlobal::Deepest));
        code.local_get(nth).end();
        function.into_raw_body()
    }
}

/// One more of what a global counts, which a local gets too.
fn count(global: u32, local: u32, code: &mut InstructionSink<'_>) {
    code.global_get(global).i32_const(1).i32_add().local_tee(local).global_set(global);
}

/// A function that the host calls.
struct Exported {
    name: &'static str,
    export: &'static str,
    params: &'static [ValType],
    results: &'static [ValType],
    code: fn(&IndexSpace, &mut InstructionSink<'_>),
}

/// `(func (export "linmem.untold") (result $function_and_1 i32))`: 0 if the host knows of the entry under way.
const UNTOLD: Exported = Exported {
    name: "untold entry",
    export: hooks::UNTOLD_EXPORT,
    params: &[],
    results: &[ValType::I32],
    code: |space, code| {
        code.global_get(space.global(AddedGlobal::Untold));
    },
};

/// `(func (export "linmem.see") (result $level i32))`: the host knows of the entry under way from now on, and will hear when
/// the one below it goes on.
const SEE: Exported = Exported {
    name: "see entry",
    export: hooks::SEE_EXPORT,
    params: &[],
    results: &[ValType::I32],
    code: |space, code| {
        let level = space.global(AddedGlobal::Level);
        is_told(space, code);
        code.global_get(level).global_set(space.global(AddedGlobal::Deepest)).global_get(level);
    },
};

/// `(func (export "linmem.confirm") (param $level i32))`: the host has looked at the stack, and levels up to this one are
/// right.
const CONFIRM: Exported = Exported {
    name: "confirm level",
    export: hooks::CONFIRM_EXPORT,
    params: &[ValType::I32],
    results: &[],
    code: |space, code| {
        code.local_get(0).global_set(space.global(AddedGlobal::Confirmed));
        code.i32_const(0).global_set(space.global(AddedGlobal::Firsts));
    },
};

impl Inserted for Exported {
    fn ty(&self, _: &Features) -> Signature {
        Signature::New(self.params.to_vec(), self.results.to_vec())
    }

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn reached(&self) -> Reached {
        Reached::ByExport(self.export)
    }

    fn body(&self, _: &Features, space: &IndexSpace) -> Vec<u8> {
        let mut function = Function::new([]);
        let mut code = function.instructions();
        (self.code)(space, &mut code);
        code.end();
        function.into_raw_body()
    }
}
